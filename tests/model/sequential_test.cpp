// Networks of the configuration's layers.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apo/base/error.h"
#include "apo/base/random.h"
#include "apo/model/model.h"
#include "apo/model/taps.h"
#include "support/layers.h"

namespace apo {
namespace {

using testing::HasSubstr;

std::unique_ptr<Model> model_of(const std::string& yaml, const ModelShape& shape) {
  SequentialOptions options;
  options.layers = test::layers_of(yaml);
  return make_sequential(options, shape);
}

constexpr const char* kAllSorts =
    "{name: conv, channels: 4, padding: 1, bias: false}, batch_norm, relu, max_pool, "
    "{name: residual, layers: [{name: conv, channels: 8, padding: 1}, {name: group_norm, groups: "
    "2}, gelu], shortcut: [{name: conv, channels: 8, kernel: 1}]}, "
    "global_pool, flatten, {name: dropout, probability: 0.5}, linear";

TEST(Sequential, NamesItsParametersAsPyTorchDoes) {
  const auto model = model_of(kAllSorts, {{1, 8, 8}, 3});
  EXPECT_THAT(model->named_parameters().keys(),
              testing::ElementsAre("0.weight",
                                   "1.weight",
                                   "1.bias",
                                   "4.layers.0.weight",
                                   "4.layers.0.bias",
                                   "4.layers.1.weight",
                                   "4.layers.1.bias",
                                   "4.shortcut.0.weight",
                                   "4.shortcut.0.bias",
                                   "8.weight",
                                   "8.bias"));
  EXPECT_EQ(model->named_parameters()["8.weight"].sizes(), (std::vector<int64_t>{3, 8}));
  EXPECT_EQ(model->named_buffers().keys().front(), "1.running_mean");
}

TEST(Sequential, SaysWhetherItDraws) {
  EXPECT_TRUE(model_of(kAllSorts, {{1, 8, 8}, 3})->draws());
  EXPECT_TRUE(model_of("{name: residual, layers: [dropout]}, linear", {{4}, 3})->draws());
  EXPECT_FALSE(model_of("flatten, {name: dropout, probability: 0}, linear", {})->draws());
}

// Of the same seed, for both are made in the same order.
TEST(Sequential, IsTheCnnWhoseLayersItHasInEveryTapAlike) {
  at::manual_seed(1);
  const auto cnn = make_cnn({.channels = {2, 3}, .kernel = 3}, {{1, 8, 8}, 10});
  at::manual_seed(1);
  const auto same = model_of(
      "{name: conv, channels: 2, padding: 1}, max_pool, relu, {name: conv, channels: 3, padding: "
      "1}, max_pool, relu, flatten, linear",
      {{1, 8, 8}, 10});
  const Tensor x = at::randn({3, 1, 8, 8}, make_generator(1, RandomStream::toy_data));
  const TapScope of_cnn;
  const Tensor z = cnn->forward(x);
  const TapScope scope;
  EXPECT_TRUE(at::equal(same->forward(x), z));
  ASSERT_EQ(scope.taps().size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    const LayerTap& ours = scope.taps()[i];
    const LayerTap& theirs = of_cnn.taps()[i];
    EXPECT_TRUE(at::equal(ours.inputs, theirs.inputs));
    EXPECT_TRUE(at::equal(ours.outputs, theirs.outputs));
    EXPECT_EQ(ours.padding, theirs.padding);
  }
}

TEST(Sequential, TapsEveryLayerWithinABranch) {
  const auto model = model_of(kAllSorts, {{1, 8, 8}, 3});
  const TapScope scope;
  model->forward(at::randn({2, 1, 8, 8}));
  EXPECT_EQ(scope.taps().size(), 4);
}

TEST(Sequential, PredictsEachPositionOfASequence) {
  const auto model =
      model_of("{name: embedding, count: 9, width: 4}, layer_norm, linear", {{5}, 9});
  EXPECT_EQ(model->forward(at::arange(10).remainder(9).view({2, 5})).sizes(),
            (std::vector<int64_t>{2, 5, 9}));
}

std::string error_of(const std::string& yaml, const ModelShape& shape) {
  try {
    model_of(yaml, shape);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "";
}

TEST(Sequential, SaysWhichLayerCannotTakeWhatItGets) {
  const ModelShape shape{{3, 8, 8}, 10};
  const std::pair<const char*, const char*> cases[] = {
      {"linear",
       "model.layers[0] (linear): gets [3, 8, 8] for an example; accepted: [numbers] or "
       "[positions, numbers]; flatten or global_pool before it"},
      {"flatten, {name: conv, channels: 2}",
       "model.layers[1] (conv): gets [192] for an example; accepted: a picture, [channels, height, "
       "width]"},
      {"{name: conv, channels: 2, kernel: 9}",
       "model.layers[0] (conv): gets [3, 8, 8] for an example; accepted: pictures of 9 × 9 or "
       "more, "
       "or padding"},
      {"max_pool, max_pool, max_pool, max_pool",
       "model.layers[3] (max_pool): gets [3, 1, 1] for an example; accepted: pictures of 2 × 2 or "
       "more, or padding"},
      {"flatten, {name: linear, outputs: 5}, relu",
       "model.layers[2] (relu): the last one gives [5] for an example; the data set wants 10 "
       "outputs"},
      {"flatten, linear, relu, linear",
       "model.layers[1].outputs: must be given; the last linear layer of model.layers alone takes "
       "them from the data set"},
      {"{name: residual, layers: [flatten, linear]}, flatten, linear",
       "model.layers[0].layers[1].outputs: must be given; the last linear layer of model.layers "
       "alone takes them from the data set"},
      {"{name: residual, layers: [{name: conv, channels: 3}]}",
       "model.layers[0] (residual): its layers give [3, 6, 6] for an example, its shortcut [3, 8, "
       "8]; accepted: the same of both"},
      {"{name: group_norm, groups: 2}",
       "model.layers[0] (group_norm): gets [3, 8, 8] for an example; accepted: channels that 2 "
       "groups divide"},
      {"flatten, relu, {name: embedding, count: 5, width: 5}",
       "model.layers[2] (embedding): gets [192] for an example; accepted: whole numbers of the "
       "data "
       "set, as the first layer"},
      {"{name: conv, channels: 1000000, kernel: 1}, global_pool, flatten, {name: linear, outputs: "
       "1000000}, linear",
       "model.layers[3] (linear): with a parameter of [1000000, 1000000] the network has more than "
       "2147483647 numbers; accepted: a smaller one"},
      {"{name: conv, channels: 1000000, kernel: 1}, {name: conv, channels: 1000, kernel: 1000, "
       "padding: 999}",
       "model.layers[1] (conv): with a parameter of [1000, 1000000, 1000, 1000] the network has "
       "more than 2147483647 numbers; accepted: a smaller one"},
      {"{name: conv, channels: 1, kernel: 1000, padding: 999}, {name: conv, channels: 1000000, "
       "kernel: 1}",
       "model.layers[1] (conv): gives [1000000, 1007, 1007] for an example, more than 2147483647 "
       "numbers; accepted: fewer"},
  };
  for (const auto& [yaml, message] : cases) EXPECT_EQ(error_of(yaml, shape), message) << yaml;
}

TEST(Sequential, TellsNumbersFromWhatIsToBeLookedUp) {
  const auto real = model_of("flatten, linear", {});
  EXPECT_THROW(real->forward(at::arange(784).view({1, 1, 28, 28})), Error);
  const auto words = model_of("{name: embedding, count: 9, width: 4}, linear", {{5}, 9});
  EXPECT_THROW(words->forward(at::randn({2, 5})), Error);
  try {
    words->forward(at::arange(10).view({2, 5}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("model.layers[0].count = 9: a number of the data set is"));
  }
}

TEST(Sequential, TakesAsManyLayersAsAreSound) {
  std::string yaml = "relu";
  for (int i = 0; i < 1000; ++i) yaml += ", relu";
  SequentialOptions options;
  EXPECT_THAT([&] { read_into(Document::parse("layers: [" + yaml + "]", "a.yaml"), options); },
              testing::ThrowsMessage<Error>(HasSubstr("layers: must be 1 to 1000 layers")));
}

}  // namespace
}  // namespace apo
