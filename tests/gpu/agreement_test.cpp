// What a device computes, beside the same on the CPU. Skipped where there is none.
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "support/recorder.h"
#include "support/registry_names.h"

namespace apo {
namespace {

constexpr int64_t kSteps = 12;

class Gpu : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
};

/// Classification of made-up pictures in double precision, from the same weights on any device.
std::unique_ptr<Problem> make_problem(const std::string& model, at::Device device) {
  const auto dataset = make_synthetic({3, 16, 16, 10}, {.root = {}, .train_examples = 80});
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  const ChoiceOf<Model, const ModelShape&> choice(models(), model);
  return make_supervised(choice.make({3, 16, 16, 10}),
                         *dataset,
                         {.batch_size = 8, .precision = Precision::float64, .device = device});
}

std::vector<double> losses(const std::string& model, const std::string& rule, at::Device device) {
  const auto problem = make_problem(model, device);
  ApoOptions options;
  options.interval = 2;
  const auto tuner = make_apo(options);
  const auto made = UpdateRuleChoice(update_rules(), rule).make({.learning_rate = 1e-3});
  return test::record(*problem, *made, *tuner, {.steps = kSteps}).losses();
}

void expect_the_same_losses(const std::string& model, const std::string& rule) {
  const std::vector<double> host = losses(model, rule, at::kCPU);
  const std::vector<double> device = losses(model, rule, at::Device(at::kCUDA, 0));
  ASSERT_EQ(host.size(), device.size());
  for (size_t t = 0; t < host.size(); ++t) EXPECT_NEAR(host[t], device[t], 1e-6) << "step " << t;
}

class GpuRule : public Gpu {};

TEST_P(GpuRule, TrainsWithApoAsOnTheCpu) {
  expect_the_same_losses("mlp", GetParam());
}

INSTANTIATE_TEST_SUITE_P(All,
                         GpuRule,
                         testing::ValuesIn(test::names(update_rules())),
                         test::test_name);

class GpuModel : public Gpu {};

TEST_P(GpuModel, TrainsWithApoAsOnTheCpu) {
  expect_the_same_losses(GetParam(), "sgd");
}

INSTANTIATE_TEST_SUITE_P(All, GpuModel, testing::ValuesIn(test::names(models())), test::test_name);

}  // namespace
}  // namespace apo
