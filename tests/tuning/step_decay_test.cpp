#include <gtest/gtest.h>

#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::rates;
using test::run;

TEST(StepDecay, DecaysAtEveryMultiple) {
  const auto tuner = make_step_decay(
      {.factor = 0.5, .every = 3, .milestones = {}, .unit = StepDecayOptions::Unit::steps});
  EXPECT_EQ(rates(*run(*tuner, *make_sgd({}, kSetting), {.steps = 7})),
            (std::vector<double>{0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125}));
}

TEST(StepDecay, DecaysAtMilestonesInEpochs) {
  const auto tuner = make_step_decay({.factor = 0.1, .milestones = {1, 3}});
  const std::vector<double> eta =
      rates(*run(*tuner, *make_sgd({}, kSetting), {.steps = 40}));  // 10 steps an epoch
  EXPECT_EQ(eta[9], 0.05);
  EXPECT_DOUBLE_EQ(eta[10], 0.005);
  EXPECT_DOUBLE_EQ(eta[29], 0.005);
  EXPECT_DOUBLE_EQ(eta[30], 0.0005);
}

}  // namespace
}  // namespace apo
