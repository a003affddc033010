#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <torch/nn/modules/embedding.h>

#include "apo/data/own.h"
#include "apo/data/stream.h"
#include "apo/loss/loss.h"
#include "apo/model/module_network.h"
#include "apo/problem/supervised.h"
#include "support/files.h"

namespace apo {
namespace {

using testing::HasSubstr;

class Text : public testing::Test {
 protected:
  std::unique_ptr<Dataset> load(const std::string& text, int64_t length, double test_share) {
    test::write_file(path_, {text.begin(), text.end()});
    return load_text({.path = path_.string(), .length = length, .test_share = test_share}, {});
  }
  static std::string row(const Tensor& bytes, int64_t i) {
    const Tensor one = bytes[i].contiguous();
    return {static_cast<const char*>(one.const_data_ptr()), static_cast<size_t>(one.numel())};
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "corpus.txt";
};

TEST_F(Text, ExamplesAreTheBytesInTheirOrderAndTargetsTheNextOnes) {
  const auto dataset = load("abcdefghijklmnopqrst", 3, 0.35);
  EXPECT_EQ(dataset->classes, 256);
  ASSERT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(row(dataset->train.inputs, 3), "jkl");
  EXPECT_EQ(row(dataset->train.targets, 3), "klm");
  ASSERT_EQ(dataset->test.inputs.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(row(dataset->test.inputs, 0), "nop");
  EXPECT_EQ(row(dataset->test.targets, 1), "rst");
}

TEST_F(Text, TakesNoMoreMemoryThanItsBytes) {
  const auto dataset = load(std::string(1000, 'x'), 10, 0.1);
  EXPECT_EQ(dataset->train.inputs.storage().data_ptr().get(),
            dataset->train.targets.storage().data_ptr().get());
  EXPECT_EQ(dataset->train.inputs.scalar_type(), at::kByte);
}

TEST_F(Text, APartThatIsNoWholeExampleIsAnError) {
  EXPECT_THAT(test::data_error_of([&] { load("abcdef", 3, 0.5); }),
              HasSubstr("6 bytes, of them 3 for the test; expected 4 or more of each"));
  EXPECT_THAT(test::data_error_of([&] { load("", 3, 0); }), HasSubstr("0 bytes"));
  EXPECT_FALSE(load("abcdef", 3, 0)->test.inputs.defined());
}

/// p(next byte | byte), from a table.
struct Bigrams : torch::nn::Module {
  Bigrams() : table(register_module("table", torch::nn::Embedding(256, 256))) {}
  Tensor forward(const Tensor& x) { return table->forward(x); }
  torch::nn::Embedding table;
};

TEST_F(Text, OneThatRepeatsIsLearned) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "abcd";
  const auto dataset = load(text, 8, 0.1);
  const auto problem = make_supervised(
      network_of(std::make_shared<Bigrams>()), make_cross_entropy(), *dataset, {.batch_size = 9});
  const Tensor& theta = problem->network->parameters().front();
  for (int step = 0; step < 100; ++step) {
    const Tensor loss = loss_on(*problem, problem->batches->next());
    const Tensor g = apo::gradient(loss, TensorList{theta}).front();
    const at::NoGradGuard no_grad;
    theta.add_(g, -20);
  }
  const Metrics metrics = evaluate(*problem, Part::test).value();
  EXPECT_EQ(metrics.accuracy, 1);
  EXPECT_LT(metrics.loss, 0.5);
}

}  // namespace
}  // namespace apo
