#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include "apo/data/dataset.h"
#include "support/files.h"

namespace apo {
namespace {

TEST(Synthetic, HasTheShapesAskedFor) {
  const SyntheticOptions options{.channels = 3, .height = 8, .width = 6, .classes = 4};
  DataRequest request;
  request.train_examples = 50;
  request.test_examples = 7;
  const auto dataset = make_synthetic(options, request);
  EXPECT_EQ(dataset->train.inputs.sizes(), (std::vector<int64_t>{50, 3, 8, 6}));
  EXPECT_EQ(dataset->test.targets.sizes(), (std::vector<int64_t>{7}));
  EXPECT_EQ(dataset->classes, 4);
}

TEST(Synthetic, DependsOnlyOnTheSeed) {
  DataRequest request;
  request.seed = 5;
  const auto first = make_synthetic({}, request);
  const auto again = make_synthetic({}, request);
  EXPECT_TRUE(first->train.inputs.equal(again->train.inputs));
  request.seed = 6;
  EXPECT_FALSE(first->train.inputs.equal(make_synthetic({}, request)->train.inputs));
  EXPECT_FALSE(first->train.inputs.narrow(0, 0, 200).equal(first->test.inputs));
}

/// The nearest mean of the training pictures classifies the test set.
TEST(Synthetic, LabelsCanBeLearned) {
  const auto dataset = make_synthetic({}, {});
  const Tensor train = dataset->train.inputs.flatten(1).to(at::kFloat);
  const Tensor test = dataset->test.inputs.flatten(1).to(at::kFloat);
  TensorList distances;
  for (int64_t label = 0; label < dataset->classes; ++label) {
    const Tensor mean = train.index({dataset->train.targets.eq(label)}).mean(0);
    distances.push_back((test - mean).square().sum(1));
  }
  const Tensor correct = at::stack(distances).argmin(0).eq(dataset->test.targets);
  EXPECT_GT(correct.to(at::kFloat).mean().item<float>(), .95);
}

TEST(Synthetic, GivesAThousandExamplesUnlessAskedForOthers) {
  DataRequest request;
  EXPECT_EQ(make_synthetic({}, request)->train.targets.size(0), 1000);
  request.train_examples = 1500;
  EXPECT_EQ(make_synthetic({}, request)->train.targets.size(0), 1500);
}

}  // namespace
}  // namespace apo
