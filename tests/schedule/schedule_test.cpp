#include "apo/schedule/schedule.h"

#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

class EachSchedule : public testing::TestWithParam<std::string> {};

TEST_P(EachSchedule, IsAShareOfTheRateThatRisesAndThenFalls) {
  const auto schedule = ChoiceOf<Schedule>(schedules(), GetParam()).make();
  for (const int64_t steps : {1, 2, 3, 7, 1000}) {
    bool falls = false;
    double last = 0;
    for (int64_t t = 0; t < steps; ++t) {
      const double now = schedule->factor(t, steps);
      EXPECT_GT(now, 0) << t << " of " << steps;
      EXPECT_LE(now, 1) << t << " of " << steps;
      EXPECT_FALSE(falls && now > last) << t << " of " << steps;
      falls = falls || now < last;
      last = now;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         EachSchedule,
                         testing::ValuesIn(test::names(schedules())),
                         test::test_name);

TEST(Schedule, LinearIsTheShareOfTheRunThatIsLeft) {
  const auto schedule = make_linear_schedule({});
  for (int64_t t = 0; t < 10; ++t) {
    EXPECT_DOUBLE_EQ(schedule->factor(t, 10), static_cast<double>(10 - t) / 10);
  }
}

TEST(Schedule, CosineIsThatOfLoshchilovAndHutterBetweenItsEnds) {
  const auto schedule = make_cosine_schedule({.end_factor = 0.1});
  for (int64_t t = 0; t < 50; ++t) {
    const double angle = std::numbers::pi * static_cast<double>(t) / 50;
    EXPECT_DOUBLE_EQ(schedule->factor(t, 50), 0.1 + 0.5 * 0.9 * (1 + std::cos(angle)));
  }
}

TEST(Schedule, AWarmUpRisesInEqualPartsToTheFirstStepBehindIt) {
  const auto schedule = make_linear_schedule({.warmup = 0.4});
  const std::vector<double> expected = {0.2, 0.4, 0.6, 0.8, 1, 5. / 6, 4. / 6, 0.5, 2. / 6, 1. / 6};
  for (size_t t = 0; t < expected.size(); ++t) {
    EXPECT_DOUBLE_EQ(schedule->factor(static_cast<int64_t>(t), 10), expected[t]) << t;
  }
}

TEST(Schedule, WarmupStableDecayStaysBetweenItsTwoSlopes) {
  const auto schedule = make_warmup_stable_decay({.warmup = 0.1, .decay = 0.3});
  const std::vector<double> expected = {0.5, 1, 1, 1, 1, 1, 1, 1, 2. / 3, 1. / 3};
  for (size_t t = 0; t < expected.size(); ++t) {
    EXPECT_DOUBLE_EQ(schedule->factor(static_cast<int64_t>(t), 10), expected[t]) << t;
  }
}

TrainOptions scheduled(int64_t steps) {
  return {.steps = steps, .schedule = make_linear_schedule({})};
}

TEST(Schedule, TheBaseStepTakesItsShareOfTheRate) {
  const auto tuner = make_constant({});
  const auto run = test::run(*tuner, *make_sgd({}, {.learning_rate = 0.5}), scheduled(4));
  test::TinyProblem by_hand;
  for (const double rate : {0.5, 0.375, 0.25, 0.125}) {
    TensorList& theta = by_hand.network->parameters();
    const TensorList g = gradient(loss_on(by_hand, by_hand.batches->next()), theta);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < theta.size(); ++i) theta[i] -= rate * g[i];
  }
  for (size_t i = 0; i < by_hand.network->parameters().size(); ++i) {
    const Tensor& expected = by_hand.network->parameters()[i];
    EXPECT_TRUE(at::allclose(run->problem.network->parameters()[i], expected, 1e-14, 1e-14));
  }
  EXPECT_EQ(test::rates(*run), (std::vector<double>{0.5, 0.375, 0.25, 0.125}));
  EXPECT_EQ(run->summary.final_learning_rate, 0.125);
  EXPECT_EQ(run->summary.final_learned_rate, 0.5);
}

TEST(Schedule, TakesIndependentDecayWithIt) {
  const RuleSetting setting{
      .learning_rate = 0.5, .weight_decay = 0.1, .weight_decay_form = WeightDecay::independent};
  const auto tuner = make_constant({});
  const auto run = test::run(*tuner, *make_sgd({}, setting), scheduled(4));
  test::TinyProblem by_hand;
  for (const double factor : {1.0, 0.75, 0.5, 0.25}) {
    TensorList& theta = by_hand.network->parameters();
    const TensorList g = gradient(loss_on(by_hand, by_hand.batches->next()), theta);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < theta.size(); ++i) theta[i] -= factor * (0.5 * g[i] + 0.1 * theta[i]);
  }
  for (size_t i = 0; i < by_hand.network->parameters().size(); ++i) {
    const Tensor& expected = by_hand.network->parameters()[i];
    EXPECT_TRUE(at::allclose(run->problem.network->parameters()[i], expected, 1e-14, 1e-14));
  }
}

TEST(Schedule, ForEveryRuleTheRateThatIsUsedIsTheLearnedOneTimesTheFactor) {
  for (const std::string& name : test::tunable_rules()) {
    const auto rule = UpdateRuleChoice(update_rules(), name).make(test::kSetting);
    const auto tuner = make_constant({});
    const auto run = test::run(*tuner, *rule, scheduled(10));
    for (const StepRecord& step : run->trace.steps) {
      const double factor = 1 - static_cast<double>(step.step) / 10;
      EXPECT_NEAR(step.learning_rate / *step.learned_rate, factor, 1e-14) << name;
    }
  }
}

TEST(Schedule, TheLookAheadIsOfTheWholeStep) {
  const auto rule = make_sgdm({}, test::kSetting);
  const auto plain = make_apo({});
  const auto warm = make_apo({});
  const auto without = test::run(*plain, *rule, {.steps = 2});
  const auto with =
      test::run(*warm, *rule, {.steps = 2, .schedule = make_linear_schedule({.warmup = 0.5})});
  EXPECT_LT(test::rates(*with)[0], test::rates(*without)[0]);
  EXPECT_EQ(with->trace.metas[0].objective, without->trace.metas[0].objective);
  EXPECT_EQ(with->trace.metas[0].gradient, without->trace.metas[0].gradient);
  EXPECT_EQ(with->trace.tuned[0], without->trace.tuned[0]);
}

}  // namespace
}  // namespace apo
