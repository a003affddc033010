// Runs that take φ from another run's trace.
#include "apo/tuning/replay.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/trace/columns.h"
#include "apo/trace/jsonl.h"
#include "support/recorded.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::rates;
using test::run;

constexpr int64_t kSteps = 25;

/// A run with its trace.json in a folder.
struct Traced {
  Traced(Tuner& tuner, const UpdateRule& rule, const TrainOptions& options) {
    JsonLines lines(folder / "trace.jsonl", R"({"type":"header"})");
    summary = train(problem, rule, tuner, options, {&recorder, &lines});
    std::ifstream written(folder / "trace.jsonl");
    write_columns(written, {{"format", "apo-trace"}}, folder / "trace.json");
  }

  /// The same run with what this one used.
  std::unique_ptr<test::Run> again(const UpdateRule& rule,
                                   int64_t steps = kSteps,
                                   bool stretch = false) const {
    const auto tuner = replay(stretch);
    test::TinyProblem of;
    tuner->prepare({of, rule, steps});
    return run(*tuner, rule, {.steps = steps, .auto_learning_rate = true});
  }
  std::unique_ptr<Tuner> replay(bool stretch = false) const {
    return make_replay({.trace = folder.path().string(), .stretch = stretch});
  }

  test::TemporaryFolder folder;
  test::TinyProblem problem;
  test::StepRecorder recorder;
  RunSummary summary;
};

void expect_the_same_parameters(const Problem& a, const Problem& b) {
  for (size_t i = 0; i < a.network->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(a.network->parameters()[i], b.network->parameters()[i])) << i;
  }
}

class ReplayWith : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<UpdateRule> rule_ = UpdateRuleChoice(update_rules(), GetParam()).make(kSetting);
};

TEST_P(ReplayWith, EqualsTheRunThatLearnedToTheBitWithoutItsMetaSteps) {
  for (const auto scope : {ApoOptions::Scope::global, ApoOptions::Scope::per_layer}) {
    ApoOptions options;
    options.scope = scope;
    options.take_defaults();
    options.interval = 3;
    const Traced first(*make_apo(options), *rule_, {.steps = kSteps});
    const auto again = first.again(*rule_);
    EXPECT_EQ(again->trace.losses(), first.recorder.losses());
    EXPECT_TRUE(again->trace.metas.empty());
    expect_the_same_parameters(again->problem, first.problem);
  }
}

TEST_P(ReplayWith, HasTheRatesThatTheScheduleMadeOfWhatWasLearned) {
  const Traced first(
      *make_movement({.interval = 2}),
      *rule_,
      {.steps = kSteps, .auto_learning_rate = true, .schedule = make_linear_schedule({})});
  const auto again = first.again(*rule_);
  EXPECT_EQ(rates(*again), first.recorder.rates());
  EXPECT_EQ(again->trace.losses(), first.recorder.losses());
}

INSTANTIATE_TEST_SUITE_P(All,
                         ReplayWith,
                         testing::ValuesIn(test::tunable_rules()),
                         test::test_name);

TEST(Replay, HasEveryTunedHyperparameterOfEveryLayer) {
  ApoOptions options;
  options.tune = {"learning_rate", "power", "epsilon"};
  options.scope = ApoOptions::Scope::per_layer;
  options.take_defaults();
  options.interval = 2;
  const auto rule = make_rmsprop({}, kSetting);
  const Traced first(*make_apo(options), *rule, {.steps = kSteps});
  const auto again = first.again(*rule);
  EXPECT_EQ(again->trace.losses(), first.recorder.losses());
  expect_the_same_parameters(again->problem, first.problem);
}

TEST(Replay, StretchedHasTheFirstRateFirstTheLastLastAndTheMiddleInTheMiddle) {
  StepDecayOptions decay{.factor = 0.25, .every = 1, .milestones = {}};
  decay.unit = StepDecayOptions::Unit::steps;
  const auto rule = make_sgd({}, {.learning_rate = 0.1});
  const Traced first(*make_step_decay(decay), *rule, {.steps = 3});  // 0.1, 0.025, 0.00625
  const std::vector<double> eta = rates(*first.again(*rule, 5, /*stretch=*/true));
  for (size_t t = 0; t < 5; ++t) EXPECT_NEAR(eta[t], 0.1 * std::pow(2, -double(t)), 1e-15) << t;
  const std::vector<double> fewer = rates(*first.again(*rule, 2, /*stretch=*/true));
  EXPECT_NEAR(fewer[1], 0.00625, 1e-15);
}

TEST(Replay, OfARunThatIsShorterIsRefusedAndOfALongerOneBegins) {
  const auto rule = make_sgd({}, kSetting);
  const Traced first(*make_constant({}), *rule, {.steps = 10});
  EXPECT_EQ(rates(*first.again(*rule, 4)), std::vector<double>(4, 0.05));
  try {
    first.again(*rule, 11);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_STREQ(error.what(),
                 "tuner.trace: has 10 steps, and the run is to have 11; accepted: at most as many, "
                 "or tuner.stretch: true");
  }
}

TEST(Replay, WithAnOptimizerThatLacksAHyperparameterIsRefusedAndWithAnotherThatHasItIsNot) {
  ApoOptions options;
  options.tune = {"learning_rate", "epsilon"};
  const Traced first(*make_apo(options), *make_rmsprop({}, kSetting), {.steps = kSteps});
  const auto adam = make_adam({}, kSetting);
  const auto again = first.again(*adam);
  EXPECT_EQ(rates(*again), first.recorder.rates());
  try {
    first.again(*make_sgd({}, kSetting));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("epsilon"), std::string::npos) << error.what();
  }
}

TEST(Replay, OfOtherLayersIsRefused) {
  ApoOptions options;
  options.scope = ApoOptions::Scope::per_layer;
  options.take_defaults();
  const auto rule = make_sgd({}, kSetting);
  const Traced first(*make_apo(options), *rule, {.steps = kSteps});
  const auto rosenbrock = ChoiceOf<Problem, const ProblemSetting&>(problems(), "rosenbrock")
                              .make({.dtype = at::kDouble});
  try {
    first.replay()->prepare({*rosenbrock, *rule, kSteps});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("layers"), std::string::npos) << error.what();
  }
}

TEST(Replay, GoesOnWithTheRateThatARollbackHasLowered) {
  const auto rule = make_sgd({}, kSetting);
  const auto tuner = test::make_falling_replay();  // 0.05, halved every ten steps
  test::TinyProblem problem;
  test::StepRecorder trace;
  Trainer trainer(problem, *rule, *tuner, {.steps = 21}, {&trace});
  trainer.advance_to(10);
  trainer.scale_learning_rate(0.5);
  trainer.advance_to(21);
  EXPECT_DOUBLE_EQ(trace.rates()[10], 0.0125);
  EXPECT_DOUBLE_EQ(trace.rates()[20], 0.00625);
}

TEST(Replay, StaysWithinItsBounds) {
  ReplayOptions options;
  options.bounds.learning_rate = Range::between(0.02, 0.03);
  const auto tuner = replay_of(test::falling_rates(0.05, 40), options, 40);
  const auto seen =
      rates(*run(*tuner, *make_sgd({}, kSetting), {.steps = 40, .auto_learning_rate = true}));
  EXPECT_EQ(seen.front(), 0.03);
  EXPECT_EQ(seen.back(), 0.02);
  EXPECT_DOUBLE_EQ(seen[10], 0.025);
}

}  // namespace
}  // namespace apo
