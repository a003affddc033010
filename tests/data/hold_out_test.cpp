#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "apo/base/error.h"
#include "apo/data/dataset.h"

namespace apo {
namespace {

/// 100 examples of class 0 and 20 of class 1, in turns as far as they go; inputs count them.
Dataset make_dataset() {
  const Tensor numbers = at::arange(120, at::kLong);
  const Tensor rare = numbers.lt(40).logical_and(numbers.remainder(2).eq(1));
  return {.train = {numbers, rare.to(at::kLong)}, .test = {}, .classes = 2};
}

TEST(HoldOut, TakesOfEachClassAlike) {
  Dataset dataset = make_dataset();
  hold_out(dataset, 0.25, 0);
  EXPECT_EQ(dataset.validation.targets.size(0), 30);
  EXPECT_EQ(dataset.validation.targets.sum().item<int64_t>(), 5);
  EXPECT_EQ(dataset.train.targets.sum().item<int64_t>(), 15);
}

TEST(HoldOut, KeepsEveryExampleOnceWithItsTargetInTheOldOrder) {
  const Dataset whole = make_dataset();
  Dataset dataset = make_dataset();
  hold_out(dataset, 0.25, 3);
  for (const Split* part : {&dataset.train, &dataset.validation}) {
    EXPECT_TRUE(part->inputs.diff().gt(0).all().item<bool>());
    EXPECT_TRUE(whole.train.targets.index_select(0, part->inputs).equal(part->targets));
  }
  const Tensor all = at::cat({dataset.train.inputs, dataset.validation.inputs});
  EXPECT_TRUE(std::get<0>(all.sort()).equal(whole.train.inputs));
}

TEST(HoldOut, DependsOnTheSeedAlone) {
  const auto chosen = [](uint64_t seed) {
    Dataset dataset = make_dataset();
    hold_out(dataset, 0.5, seed);
    return dataset.validation.inputs;
  };
  EXPECT_TRUE(chosen(1).equal(chosen(1)));
  EXPECT_FALSE(chosen(1).equal(chosen(2)));
}

TEST(HoldOut, NormalisesByWhatIsLeft) {
  const Tensor levels = at::arange(4, at::kByte).mul(20).view({4, 1, 1, 1});
  Dataset dataset{.train = {levels, at::arange(4, at::kLong)},
                  .test = {},
                  .classes = 0,
                  .normalisation = channel_statistics(levels)};
  hold_out(dataset, 0.5, 0);
  const double mean = dataset.train.inputs.to(at::kDouble).mean().item<double>() / 255;
  EXPECT_DOUBLE_EQ(dataset.normalisation.mean.front(), mean);
}

TEST(HoldOut, RefusesASetOfNone) {
  for (const double share : {1e-3, 0.999}) {
    Dataset dataset = make_dataset();
    EXPECT_THROW(hold_out(dataset, share, 0), Error) << share;
  }
}

}  // namespace
}  // namespace apo
