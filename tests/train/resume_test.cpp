// A run that is stopped at any step, saved, read back and gone on with equals one that never
// stopped, to the bit: for every optimizer and every tuner.
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "apo/checkpoint/checkpoint.h"
#include "apo/train/population.h"
#include "support/files.h"
#include "support/recorded.h"
#include "support/recorder.h"
#include "support/registry_names.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

constexpr int64_t kSteps = 34;  // three epochs and a part

std::unique_ptr<Tuner> make_tuner(const std::string& name) {
  if (name == "step_decay") {
    StepDecayOptions options;
    options.every = 1;
    return make_step_decay(options);
  }
  if (name.starts_with("apo")) {
    ApoOptions options;
    if (name == "apo_exact") options.solver = ApoOptions::Solver::exact;
    options.take_defaults();
    options.interval = 3;
    return make_apo(options);
  }
  if (name == "replay") return test::make_falling_replay();
  if (name == "frozen") return make_movement({.interval = 3, .freeze_after = 0.4});
  return ChoiceOf<Tuner>(tuners(), name).make();
}

/// Of a rule that it may be with.
std::unique_ptr<Schedule> schedule_for(const UpdateRule& rule) {
  return rule.traits().own_rates ? nullptr : make_cosine_schedule({.warmup = 0.3});
}

/// One side of the comparison.
struct Side {
  Side(const std::string& rule_name, const std::string& tuner_name)
      : rule(ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), rule_name)
                 .make({.learning_rate = 0.05, .weight_decay = 0.01})),
        tuner(make_tuner(tuner_name)),
        trainer(problem,
                *rule,
                *tuner,
                {.steps = kSteps, .average = {.half_life = 0.2}, .schedule = schedule_for(*rule)},
                {&trace}) {}

  void visit_state(StateVisitor& visitor) { trainer.visit_state(visitor); }
  TensorList average() {
    TensorList values;
    trainer.with_average([&] { values = clone(problem.network->parameters()); });
    return values;
  }

  test::TinyProblem problem;
  std::unique_ptr<UpdateRule> rule;
  std::unique_ptr<Tuner> tuner;
  test::StepRecorder trace;
  Trainer trainer;
};

/// Through the files, as a run would.
template <class Part>
void carry_over(Part& from, Part& to) {
  const test::TemporaryFolder folder;
  const State state = state_of([&](StateVisitor& visitor) { from.visit_state(visitor); });
  write_checkpoint(folder.path(), {.step = 7, .best = false, .config = {}, .state = state});
  const Checkpoint read = read_checkpoint(folder / (checkpoint_name(7) + ".json"));
  restore(read.state, at::kCPU, [&](StateVisitor& visitor) { to.visit_state(visitor); });
}

using Pair = std::pair<std::string, std::string>;

/// Each rule with each tuner that may be with it.
std::vector<Pair> pairs() {
  std::vector<Pair> pairs;
  for (const std::string& rule : test::names(update_rules())) {
    std::vector<std::string> names = test::names(tuners());
    names.insert(names.end(), {"apo_exact", "frozen"});
    for (const std::string& tuner : names) {
      const bool own_rates = UpdateRuleChoice(update_rules(), rule).make({})->traits().own_rates;
      if (!own_rates || tuner == "constant") pairs.emplace_back(rule, tuner);
    }
  }
  return pairs;
}

class Resume : public testing::TestWithParam<Pair> {};

TEST_P(Resume, EqualsTheUninterruptedRun) {
  const auto& [rule, tuner] = GetParam();
  Side whole(rule, tuner);
  whole.trainer.advance_to(kSteps);
  const RunSummary expected = whole.trainer.conclude();
  const TensorList average = whole.average();

  for (const int64_t stop : {1, 10, 17, 33}) {
    Side first(rule, tuner), second(rule, tuner);
    first.trainer.advance_to(stop);
    carry_over(first, second);
    first.trainer.advance_to(stop + 3);  // must not be felt
    second.trainer.advance_to(kSteps);
    const RunSummary summary = second.trainer.conclude();

    const auto rest = static_cast<std::ptrdiff_t>(stop);
    EXPECT_TRUE(std::equal(second.trace.steps.begin(),
                           second.trace.steps.end(),
                           whole.trace.steps.begin() + rest,
                           whole.trace.steps.end(),
                           [](const StepRecord& a, const StepRecord& b) {
                             return a.step == b.step && a.loss == b.loss &&
                                    a.learning_rate == b.learning_rate &&
                                    a.learned_rate == b.learned_rate;
                           }))
        << "stopped at " << stop;
    for (size_t i = 0; i < whole.problem.network->parameters().size(); ++i) {
      EXPECT_TRUE(at::equal(second.problem.network->parameters()[i],
                            whole.problem.network->parameters()[i]));
      EXPECT_TRUE(at::equal(second.average()[i], average[i]));
    }
    EXPECT_TRUE(
        at::equal(second.problem.network->buffers()[0], whole.problem.network->buffers()[0]));
    EXPECT_EQ(summary.final_train->loss, expected.final_train->loss);
    EXPECT_EQ(summary.final_average->test->loss, expected.final_average->test->loss);
    EXPECT_EQ(summary.best_train_loss, expected.best_train_loss);
    EXPECT_EQ(summary.meta_skipped, expected.meta_skipped);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Resume, testing::ValuesIn(pairs()), [](const auto& info) {
  return info.param.first + "_" + info.param.second;
});

/// Three members, of whom the worst copies the best every 4 steps.
struct Members {
  explicit Members(int64_t steps, int64_t stop) : stop_at(stop) {
    options.pbt.interval = 4;
    options.initial_range = Range::between(1e-3, 1);
    options.train.steps = steps;
    options.train.average.half_life = 0.2;
    options.train.interrupted = [this] {
      return stop_at > 0 && static_cast<int64_t>(traces[1].steps.size()) >= stop_at;
    };
    for (size_t m = 0; m < 3; ++m) {
      problems.push_back(std::make_unique<test::TinyProblem>(m));
      const double rate = m == 0 ? 0.5 : 0.01 * static_cast<double>(m);
      rules.push_back(make_rmsprop({}, {.learning_rate = rate}));
      members.push_back({*problems[m], *rules[m], *tuner, {&traces[m]}});
    }
    population = std::make_unique<Population>(members, options);
  }
  void visit_state(StateVisitor& visitor) const { population->visit_state(visitor); }
  Tensor average(size_t of) const {
    Tensor value;
    population->with_averages([&](size_t member) {
      if (member == of) value = problems[of]->network->parameters()[0].detach().clone();
    });
    return value;
  }

  int64_t stop_at;
  PopulationOptions options;
  std::unique_ptr<Tuner> tuner = make_constant({});
  std::vector<std::unique_ptr<test::TinyProblem>> problems;
  std::vector<std::unique_ptr<UpdateRule>> rules;
  std::array<test::StepRecorder, 3> traces;
  std::vector<PopulationMember> members;
  std::unique_ptr<Population> population;
};

TEST(ResumePopulation, EqualsTheUninterruptedOneWhereverTheTurnWasBroken) {
  Members whole(20, 0);
  whole.population->advance();
  for (const int64_t stop : {1, 3, 4, 6, 8, 11}) {
    Members first(20, stop), second(20, 0);
    first.population->advance();
    carry_over(first, second);
    second.population->advance();
    for (size_t m = 0; m < 3; ++m) {
      EXPECT_EQ(second.traces[m].steps.back().step, 19);
      EXPECT_EQ(second.traces[m].losses().back(), whole.traces[m].losses().back()) << stop;
      EXPECT_TRUE(at::equal(second.problems[m]->network->parameters()[0],
                            whole.problems[m]->network->parameters()[0]));
      EXPECT_TRUE(at::equal(second.average(m), whole.average(m)));
    }
  }
}

}  // namespace
}  // namespace apo
