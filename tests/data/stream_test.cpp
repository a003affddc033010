#include "apo/data/stream.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace apo {
namespace {

const Normalisation kPlain{.mean = {0, 0}, .deviation = {1, 1}};

/// Labels tell the examples apart, and so do the pictures' pixels.
Split numbered(int64_t count) {
  const Tensor labels = at::arange(count, at::kLong);
  const Tensor images = labels.to(at::kByte).view({count, 1, 1, 1}).expand({count, 2, 12, 10});
  return {images.contiguous(), labels};
}

std::vector<int64_t> order_of_pass(BatchStream& stream) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < stream.steps_per_pass(); ++i) {
    const Tensor targets = stream.next().targets;
    for (int64_t j = 0; j < targets.size(0); ++j) order.push_back(targets[j].item<int64_t>());
  }
  return order;
}

TEST(BatchStream, GivesEveryExampleOnceAPassAndThePicturesBelongToTheLabels) {
  BatchStream stream(numbered(23), kPlain, {.batch_size = 5});
  ASSERT_EQ(stream.steps_per_pass(), 5);
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<int> seen(23);
    for (int64_t i = 0; i < 5; ++i) {
      const Batch batch = stream.next();
      ASSERT_EQ(batch.targets.size(0), i < 4 ? 5 : 3);  // the last holds what is left
      ASSERT_EQ(batch.inputs.size(0), batch.targets.size(0));
      for (int64_t j = 0; j < batch.targets.size(0); ++j) {
        const auto label = batch.targets[j].item<int64_t>();
        ++seen[static_cast<size_t>(label)];
        EXPECT_FLOAT_EQ(batch.inputs[j][1][3][4].item<float>(), static_cast<float>(label) / 255);
      }
    }
    EXPECT_EQ(seen, std::vector<int>(23, 1));
  }
}

TEST(BatchStream, ABatchLargerThanTheSplitIsTheSplit) {
  for (const int64_t batch_size : {int64_t{100}, std::numeric_limits<int64_t>::max()}) {
    BatchStream stream(numbered(7), kPlain, {.batch_size = batch_size});
    EXPECT_EQ(stream.steps_per_pass(), 1);
    EXPECT_EQ(stream.next().targets.size(0), 7);
    EXPECT_EQ(stream.next().targets.size(0), 7);
  }
}

TEST(BatchStream, OrderDependsOnlyOnSeedStreamAndPass) {
  const auto orders = [](uint64_t seed, RandomStream random, int64_t batch_size) {
    BatchStream stream(
        numbered(50), kPlain, {.batch_size = batch_size, .seed = seed, .stream = random});
    const auto first = order_of_pass(stream);
    return std::pair(first, order_of_pass(stream));
  };
  const auto base = orders(3, RandomStream::training_batches, 10);
  EXPECT_EQ(orders(3, RandomStream::training_batches, 10), base);
  EXPECT_EQ(orders(3, RandomStream::training_batches, 7), base);
  EXPECT_NE(base.first, base.second);
  EXPECT_NE(orders(4, RandomStream::training_batches, 10).first, base.first);
  EXPECT_NE(orders(3, RandomStream::discrepancy_batches, 10).first, base.first);
}

TEST(BatchStream, AugmentationDoesNotChangeTheOrder) {
  BatchStream plain(numbered(50), kPlain, {.batch_size = 8});
  BatchStream augmented(
      numbered(50), kPlain, {.batch_size = 8, .augmentation = Augmentation::crop_flip});
  EXPECT_EQ(order_of_pass(plain), order_of_pass(augmented));
}

TEST(BatchStream, TwoStreamsOfASplitDoNotDisturbEachOther) {
  const Split split = numbered(30);
  BatchStream alone(split, kPlain, {.batch_size = 4});
  BatchStream one(split, kPlain, {.batch_size = 4});
  BatchStream other(split, kPlain, {.batch_size = 9, .stream = RandomStream::discrepancy_batches});
  for (int i = 0; i < 20; ++i) {
    other.next();
    EXPECT_TRUE(one.next().targets.equal(alone.next().targets));
  }
}

TEST(BatchStream, GoesOnFromAPosition) {
  const StreamOptions options{.batch_size = 6, .augmentation = Augmentation::crop_flip};
  for (const int steps : {0, 2, 5, 7, 10}) {  // five batches a pass
    BatchStream stream(numbered(28), kPlain, options);
    for (int i = 0; i < steps; ++i) stream.next();
    BatchStream resumed(numbered(28), kPlain, options);
    const State state = state_of([&](StateVisitor& v) { stream.visit_state(v); });
    restore(state, at::kCPU, [&](StateVisitor& v) { resumed.visit_state(v); });
    for (int i = 0; i < 6; ++i) {
      const Batch expected = stream.next();
      const Batch batch = resumed.next();
      EXPECT_TRUE(batch.targets.equal(expected.targets));
      EXPECT_TRUE(batch.inputs.equal(expected.inputs));
    }
  }
}

TEST(BatchStream, AugmentsEachPassAnew) {
  at::Generator generator = make_generator(1, RandomStream::synthetic_data);
  const Split split{at::randint(1, 256, {1, 1, 28, 28}, generator, at::kByte),
                    at::arange(1, at::kLong)};
  BatchStream stream(
      split, {.mean = {0}, .deviation = {1}}, {.augmentation = Augmentation::crop_flip});
  Tensor last = stream.next().inputs;
  int changes = 0;
  for (int pass = 0; pass < 10; ++pass) {
    const Tensor inputs = stream.next().inputs;
    changes += static_cast<int>(!inputs.equal(last));
    last = inputs;
  }
  EXPECT_GE(changes, 8);  // two passes agree with probability 1/162
}

TEST(BatchStream, NormalisesEachChannelInTheTypeAskedFor) {
  at::Generator generator = make_generator(1, RandomStream::synthetic_data);
  const Split split{at::randint(0, 256, {40, 2, 5, 5}, generator, at::kByte),
                    at::arange(40, at::kLong)};
  const Normalisation normalisation{.mean = {.25, .5}, .deviation = {.1, .4}};
  // Rounding of the type, on values up to (1 − .25)/.1 = 7.5.
  for (const auto& [dtype, tolerance] :
       {std::pair(at::kDouble, 1e-14), {at::kFloat, 2e-6}, {at::kBFloat16, 2e-2}}) {
    BatchStream stream(split, normalisation, {.batch_size = 40, .dtype = dtype});
    const Batch batch = stream.next();
    ASSERT_EQ(batch.inputs.scalar_type(), dtype);
    const Tensor pixels = split.inputs.index_select(0, batch.targets).to(at::kDouble) / 255;
    for (int64_t c = 0; c < 2; ++c) {
      const auto channel = static_cast<size_t>(c);
      const Tensor expected =
          (pixels.select(1, c) - normalisation.mean[channel]) / normalisation.deviation[channel];
      const Tensor error = (batch.inputs.select(1, c).to(at::kDouble) - expected).abs().max();
      EXPECT_LT(error.item<double>(), tolerance);
    }
  }
}

TEST(SplitInOrder, GivesTheExamplesInOrder) {
  const Batch batch = SplitInOrder(numbered(20), kPlain, at::kFloat).slice(5, 9);
  ASSERT_EQ(batch.inputs.sizes(), (std::vector<int64_t>{4, 2, 12, 10}));
  EXPECT_TRUE(batch.targets.equal(at::arange(5, 9, at::kLong)));
  EXPECT_FLOAT_EQ(batch.inputs[3][0][0][0].item<float>(), 8.F / 255);
}

TEST(ChannelStatistics, EqualTheDirectComputation) {
  at::Generator generator = make_generator(1, RandomStream::synthetic_data);
  const Tensor images = at::randint(0, 256, {50, 3, 6, 5}, generator, at::kByte);
  const Normalisation statistics = channel_statistics(images);
  for (int64_t c = 0; c < 3; ++c) {
    const Tensor pixels = images.select(1, c).to(at::kDouble) / 255;
    const auto channel = static_cast<size_t>(c);
    EXPECT_NEAR(statistics.mean[channel], pixels.mean().item<double>(), 1e-14);
    EXPECT_NEAR(statistics.deviation[channel], pixels.std(false).item<double>(), 1e-14);
  }
}

TEST(ChannelStatistics, ConstantChannelsHaveDeviationOne) {
  const Tensor images = at::cat(
      {at::full({4, 1, 3, 3}, 51, at::kByte), at::arange(36, at::kByte).view({4, 1, 3, 3})}, 1);
  const Normalisation statistics = channel_statistics(images);
  EXPECT_DOUBLE_EQ(statistics.mean[0], .2);
  EXPECT_EQ(statistics.deviation[0], 1);
  EXPECT_LT(statistics.deviation[1], 1);
}

}  // namespace
}  // namespace apo
