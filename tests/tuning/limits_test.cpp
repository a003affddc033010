// What holds tuners back: freeze_after, and bounds of the rate.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/every_tuner.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::rates;
using test::run;

constexpr int64_t kSteps = 40;

/// A tuner that learns, frozen after a share of the run.
std::unique_ptr<Tuner> make_learning(const std::string& name, double freeze_after) {
  if (name == "movement") return make_movement({.interval = 3, .freeze_after = freeze_after});
  if (name == "hypergradient") return make_hypergradient({.freeze_after = freeze_after});
  ApoOptions options;
  if (name == "exact") options.solver = ApoOptions::Solver::exact;
  if (name == "per_layer") options.scope = ApoOptions::Scope::per_layer;
  options.take_defaults();
  options.interval = 3;
  options.freeze_after = freeze_after;
  return make_apo(options);
}

struct Freezes : test::MetaRecorder {
  void on_freeze(int64_t step) override { frozen.push_back(step); }
  std::vector<int64_t> frozen;
};

class FrozenTuner : public testing::TestWithParam<std::string> {};

TEST_P(FrozenTuner, LearnsAsOneThatIsNotUntilTheShareOfTheRunAndThenStays) {
  const auto rule = make_sgdm({}, kSetting);
  const auto free = run(*make_learning(GetParam(), 1), *rule, {.steps = kSteps});
  test::TinyProblem problem;
  Freezes trace;
  train(problem, *rule, *make_learning(GetParam(), 0.5), {.steps = kSteps}, {&trace});
  const std::vector<double> eta = trace.rates();
  for (size_t t = 0; t < 20; ++t) EXPECT_EQ(eta[t], rates(*free)[t]) << t;
  EXPECT_EQ(std::count(eta.begin() + 19, eta.end(), eta[19]), 21);
  EXPECT_NE(rates(*free).back(), eta.back());
  EXPECT_EQ(trace.frozen, std::vector<int64_t>{20});
  for (const MetaRecord& meta : trace.metas) EXPECT_LT(meta.step, 20);
}

TEST_P(FrozenTuner, DrawsNoMoreOtherBatches) {
  const auto rule = make_sgdm({}, kSetting);
  test::TinyProblem problem;
  const auto tuner = make_learning(GetParam(), 0.5);
  Trainer trainer(problem, *rule, *tuner, {.steps = kSteps}, {});
  trainer.advance_to(21);
  const auto drawn = [&] {
    return state_of([&](StateVisitor& v) { problem.discrepancy_batches->visit_state(v); }).values;
  };
  const auto before = drawn();
  trainer.advance_to(kSteps);
  EXPECT_EQ(drawn(), before);
}

TEST_P(FrozenTuner, StaysFrozenInARunThatIsMadeLonger) {
  const auto rule = make_sgdm({}, kSetting);
  test::TinyProblem problem, longer;
  const auto first = make_learning(GetParam(), 0.5);
  const auto second = make_learning(GetParam(), 0.5);
  Trainer trainer(problem, *rule, *first, {.steps = kSteps}, {});
  trainer.advance_to(kSteps);
  const State state = state_of([&](StateVisitor& visitor) { trainer.visit_state(visitor); });
  Freezes trace;
  Trainer other(longer, *rule, *second, {.steps = 4 * kSteps}, {&trace});
  restore(state, at::kCPU, [&](StateVisitor& visitor) { other.visit_state(visitor); });
  other.advance_to(60);  // before half of the longer run
  EXPECT_EQ(trace.rates(), std::vector<double>(20, trainer.learning_rate()));
  EXPECT_TRUE(trace.frozen.empty());  // has been told
}

INSTANTIATE_TEST_SUITE_P(
    All,
    FrozenTuner,
    testing::Values("gradient", "per_layer", "exact", "movement", "hypergradient"),
    test::test_name);

TEST(FrozenTuner, OfATinyShareTakesItsFirstStepForTheRateIsToBeFound) {
  const auto found = run(*make_movement({.freeze_after = 1e-9}),
                         *make_sgd({}, kSetting),
                         {.steps = 5, .auto_learning_rate = true});
  EXPECT_EQ(found->trace.metas.size(), 1);
  EXPECT_EQ(rates(*found), std::vector<double>(5, rates(*found)[0]));
}

/// Of a tuner with rates beyond both bounds where there are none.
void expect_within(Tuner& tuner, Tuner& free, double lower, double upper) {
  const auto rule = make_sgd({}, kSetting);
  const std::vector<double> wild = rates(*run(free, *rule, {.steps = kSteps}));
  const std::vector<double> held = rates(*run(tuner, *rule, {.steps = kSteps}));
  const auto [least, most] = std::minmax_element(held.begin(), held.end());
  EXPECT_GE(*least, lower * (1 - 1e-12));
  EXPECT_LE(*most, upper * (1 + 1e-12));
  EXPECT_NE(held, wild);
  const bool touches = *least < lower * (1 + 1e-9) || *most > upper * (1 - 1e-9);
  EXPECT_TRUE(touches);
}

TEST(Bounds, HoldTheRatesOfEveryTunerThatChangesThem) {
  RateBounds bounds;
  bounds.learning_rate = Range::between(0.045, 0.055);
  expect_within(*make_movement({.interval = 1, .bounds = bounds}),
                *make_movement({.interval = 1}),
                0.045,
                0.055);
  expect_within(*make_hypergradient({.rate = 0.1, .bounds = bounds}),
                *make_hypergradient({.rate = 0.1}),
                0.045,
                0.055);
  expect_within(*make_step_decay({.every = 1, .milestones = {}, .bounds = bounds}),
                *make_step_decay({.every = 1, .milestones = {}}),
                0.045,
                0.055);
}

}  // namespace
}  // namespace apo
