#include "apo/train/population.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "support/recorder.h"
#include "support/registry_names.h"
#include "support/tiny_problem.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

/// With it the second loss is not a number.
constexpr double kAbsurd = std::numeric_limits<double>::infinity();

using Events = std::vector<PopulationEvent>;

/// A population on TinyProblems of different seeds, trained when it is made.
struct Trained {
  Trained(const std::vector<double>& rates,
          PopulationOptions options,
          const std::string& rule_name = "sgd")
      : tuner(make_constant({})) {
    std::vector<PopulationMember> members;
    for (size_t m = 0; m < rates.size(); ++m) {
      problems.push_back(std::make_unique<test::TinyProblem>(m));
      rules.push_back(ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), rule_name)
                          .make({.learning_rate = rates[m]}));
    }
    traces.resize(rates.size());
    for (size_t m = 0; m < rates.size(); ++m) {
      members.push_back({*problems[m], *rules[m], *tuner, {&traces[m]}});
    }
    options.on_event = [this](const PopulationEvent& event) { events.push_back(event); };
    summaries = train_population(members, options);
  }

  /// η of a member in the last step that it took before `step`.
  double rate_before(int64_t step, size_t member) const {
    double rate = 0;
    for (const StepRecord& record : traces[member].steps) {
      if (record.step < step) rate = record.learning_rate;
    }
    return rate;
  }

  std::unique_ptr<Tuner> tuner;
  std::vector<std::unique_ptr<test::TinyProblem>> problems;
  std::vector<std::unique_ptr<UpdateRule>> rules;
  std::vector<test::StepRecorder> traces;
  Events events;
  std::vector<RunSummary> summaries;
};

PopulationOptions turns_of(int64_t interval, int64_t steps) {
  PopulationOptions options;
  options.initial_range = Range::between(1e-3, 1);
  options.seed = 5;
  options.pbt.interval = interval;
  options.train.steps = steps;
  return options;
}

TEST(Population, WithoutATurnToEndItsMembersAreOrdinaryRuns) {
  const Trained population({0.1, 0.5}, turns_of(20, 20));
  EXPECT_TRUE(population.events.empty());
  for (uint64_t m = 0; m < 2; ++m) {
    test::TinyProblem alone(m);
    const auto rule = make_sgd({}, {.learning_rate = m == 0 ? 0.1 : 0.5});
    EXPECT_EQ(test::record(alone, *rule, *make_constant({}), {.steps = 20}).losses(),
              population.traces[m].losses());
  }
}

TEST(Population, ATurnEndsWithTheWorstOfFourCopyingTheBest) {
  const Trained population({0.5, 1e-6, 0.3, 0.4}, turns_of(60, 120));
  ASSERT_EQ(population.events.size(), 1u);
  EXPECT_EQ(population.events[0].step, 60);
  EXPECT_EQ(population.events[0].member, 1u);
  EXPECT_EQ(population.events[0].old_rate, 1e-6);
  double best = 1e9;
  size_t source = 0;
  for (const size_t m : {0, 2, 3}) {
    double sum = 0;
    for (size_t t = 0; t < 60; ++t) sum += population.traces[m].steps[t].loss;
    if (sum < best) {
      best = sum;
      source = m;
    }
  }
  EXPECT_EQ(population.events[0].from, source);
}

TEST(Population, TheWorstQuarterOfEightCopiesTheBestQuarter) {
  const Trained population({0.5, 0.4, 1e-6, 0.3, 0.2, 1e-7, 0.1, 0.05}, turns_of(20, 25));
  std::vector<std::pair<double, size_t>> sums;
  for (size_t m = 0; m < 8; ++m) {
    sums.emplace_back(0, m);
    for (size_t t = 0; t < 20; ++t) sums[m].first += population.traces[m].steps[t].loss;
  }
  std::sort(sums.begin(), sums.end());
  ASSERT_EQ(population.events.size(), 2u);
  for (size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(population.events[k].member, sums[6 + k].second);
    EXPECT_THAT(population.events[k].from, testing::AnyOf(sums[0].second, sums[1].second));
  }
}

TEST(Population, ExploresByItsTwoFactorsOnly) {
  const Trained population({0.5, 0.1, 0.3, 0.4}, turns_of(10, 400));
  ASSERT_EQ(population.events.size(), 39u);
  std::set<int> seen;
  for (const PopulationEvent& event : population.events) {
    const double source = population.rate_before(event.step, event.from);
    const bool smaller = event.new_rate == source * 0.8;
    EXPECT_TRUE(smaller || event.new_rate == source * 1.2) << event.new_rate / source;
    seen.insert(smaller);
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Population, ResampledRatesStayInTheInitialRange) {
  PopulationOptions options = turns_of(5, 300);
  options.pbt.resample_probability = 1;
  options.initial_range = Range::between(0.01, 0.1);
  const Trained population({0.5, 0.1, 0.3, 0.4}, options);
  std::set<double> rates;
  for (const PopulationEvent& event : population.events) {
    EXPECT_GE(event.new_rate, 0.01);
    EXPECT_LE(event.new_rate, 0.1);
    rates.insert(event.new_rate);
  }
  EXPECT_EQ(rates.size(), population.events.size());
}

TEST(Population, TheSameSeedGivesTheSameEventsAndAnotherDoesNot) {
  const auto listed = [](uint64_t seed) {
    PopulationOptions options = turns_of(10, 300);
    options.seed = seed;
    std::vector<std::tuple<int64_t, size_t, size_t, double, double>> list;
    for (const PopulationEvent& e : Trained({0.5, 0.1, 0.3, 0.4}, options).events) {
      list.emplace_back(e.step, e.member, e.from, e.old_rate, e.new_rate);
    }
    return list;
  };
  EXPECT_EQ(listed(5), listed(5));
  EXPECT_NE(listed(5), listed(6));
}

TEST(Population, MembersTrainedAtATimeEndAsInTurns) {
  PopulationOptions options = turns_of(10, 300);
  const Trained in_turns({0.5, 0.1, 0.3, 0.4}, options);
  options.jobs = 3;
  const Trained at_a_time({0.5, 0.1, 0.3, 0.4}, options);
  ASSERT_EQ(at_a_time.events.size(), in_turns.events.size());
  for (size_t m = 0; m < in_turns.problems.size(); ++m) {
    const TensorList &a = in_turns.problems[m]->network->parameters(),
                     &b = at_a_time.problems[m]->network->parameters();
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i]));
  }
}

TEST(Population, AnErrorInAThreadIsThrown) {
  struct Failing : Observer {
    void on_step(const StepRecord&) override { throw std::runtime_error("a full disk"); }
  } failing;
  test::TinyProblem first(0), second(1);
  const auto rule = make_sgd({}, {.learning_rate = 0.1});
  const auto tuner = make_constant({});
  PopulationOptions options = turns_of(10, 30);
  options.jobs = 2;
  EXPECT_THROW(
      train_population({{first, *rule, *tuner, {}}, {second, *rule, *tuner, {&failing}}}, options),
      std::runtime_error);
}

TEST(Population, GetsRidOfAnAbsurdRate) {
  const Trained population({0.5, kAbsurd, 0.3, 0.4}, turns_of(10, 50));
  ASSERT_FALSE(population.events.empty());
  EXPECT_EQ(population.events[0].member, 1u);
  EXPECT_EQ(population.events[0].old_rate, kAbsurd);
  // It waits for the end of its turn, then goes on as the others do.
  const auto& steps = population.traces[1].steps;
  ASSERT_EQ(steps.size(), 42u);
  EXPECT_FALSE(std::isfinite(steps[1].loss));
  EXPECT_EQ(steps[2].step, 10);
  EXPECT_EQ(steps.back().step, 49);
  EXPECT_LT(steps.back().learning_rate, 1);
  for (const RunSummary& summary : population.summaries) {
    EXPECT_EQ(summary.status, RunStatus::finished);
    EXPECT_EQ(summary.steps, 50);
  }
}

TEST(Population, EveryMemberThatIsNotFiniteCopiesNotOnlyTheLastQuarter) {
  const Trained population({kAbsurd, kAbsurd, 0.3, kAbsurd}, turns_of(10, 20));
  ASSERT_EQ(population.events.size(), 3u);
  for (const PopulationEvent& event : population.events) EXPECT_EQ(event.from, 2u);
}

TEST(Population, EndsWhereNoMemberIsLeft) {
  const Trained population({kAbsurd, kAbsurd}, turns_of(10, 1000));
  EXPECT_TRUE(population.events.empty());
  for (const RunSummary& summary : population.summaries) {
    EXPECT_EQ(summary.status, RunStatus::diverged);
    EXPECT_EQ(summary.steps, 1);
  }
}

TEST(Population, StopsBetweenStepsWhenInterrupted) {
  PopulationOptions options = turns_of(10, 100);
  int polls = 0;
  options.train.interrupted = [&polls] { return ++polls > 25; };
  const Trained population({0.5, 0.1, 0.3}, options);
  EXPECT_TRUE(population.events.empty());
  for (const RunSummary& summary : population.summaries) {
    EXPECT_EQ(summary.status, RunStatus::interrupted);
  }
}

TEST(Population, InitialRatesAreLogUniformInTheirRange) {
  const std::vector<double> rates = initial_rates(1000, Range::between(1e-4, 1), 3);
  int below_the_middle = 0;
  for (const double rate : rates) {
    EXPECT_GE(rate, 1e-4);
    EXPECT_LE(rate, 1);
    below_the_middle += rate < 1e-2;
  }
  EXPECT_NEAR(below_the_middle, 500, 80);  // five standard deviations of 16
  EXPECT_EQ(initial_rates(1000, Range::between(1e-4, 1), 3), rates);
}

/// What a step of a trainer depends on beside its batches, after a copy.
class Copies : public testing::TestWithParam<std::string> {};

TEST_P(Copies, AreTheSameToTheBitAndGoOnAlike) {
  const auto make = [](double rate) {
    return ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), GetParam())
        .make({.learning_rate = rate, .weight_decay = 0.01});
  };
  const auto rule = make(0.05), other_rule = make(0.2);
  const auto tuner = make_constant({});
  test::TinyProblem problem(1), other(2);
  test::StepRecorder trace, other_trace;
  Trainer trainer(problem, *rule, *tuner, {.steps = 100}, {&trace});
  Trainer source(other, *other_rule, *tuner, {.steps = 100}, {&other_trace});
  trainer.advance_to(3);
  source.advance_to(7);
  trainer.copy_from(source);
  EXPECT_EQ(trainer.steps_taken(), 7);
  EXPECT_EQ(trainer.learning_rate(), 0.2);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(problem.network->parameters()[i], other.network->parameters()[i]));
    EXPECT_FALSE(problem.network->parameters()[i].is_alias_of(other.network->parameters()[i]));
  }
  EXPECT_TRUE(at::equal(problem.network->buffers()[0], other.network->buffers()[0]));

  // The statistics too: fed the same batches, both take the same steps, each in its own memory.
  trainer.advance_to(8);  // the source's statistics must not feel this
  problem = test::TinyProblem(3);
  other = test::TinyProblem(3);
  trainer.copy_from(source);
  trainer.advance_to(12);
  source.advance_to(12);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(problem.network->parameters()[i], other.network->parameters()[i]));
  }
  EXPECT_EQ(trace.steps.back().loss, other_trace.steps.back().loss);
}

INSTANTIATE_TEST_SUITE_P(All, Copies, testing::ValuesIn(test::tunable_rules()), test::test_name);

TEST(Trainer, AdvancedByPartsIsTheSameRun) {
  test::TinyProblem whole, parts;
  const auto rule = make_adam({}, {.learning_rate = 0.05});
  const auto tuner = make_constant({});
  const auto expected = test::record(whole, *rule, *tuner, {.steps = 25});
  test::StepRecorder trace;
  Trainer trainer(parts, *rule, *tuner, {.steps = 25}, {&trace});
  for (const int64_t step : {1, 1, 10, 20, 100}) trainer.advance_to(step);
  EXPECT_EQ(trainer.conclude().status, RunStatus::finished);
  EXPECT_EQ(trace.losses(), expected.losses());
}

}  // namespace
}  // namespace apo
