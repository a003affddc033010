// Networks that draw: the same mask wherever outputs are compared, and a run that depends on its
// seed alone.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>

#include "apo/problem/supervised.h"
#include "support/every_tuner.h"
#include "support/recorder.h"

namespace apo {
namespace {

constexpr int64_t kSteps = 12;

struct Dropped : torch::nn::Module {
  Tensor forward(const Tensor& x) {
    return fc2(at::dropout(fc1(x.flatten(1)).relu(), 0.5, is_training()));
  }
  static bool draws() { return true; }
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(16, 12));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(12, 3));
};

std::unique_ptr<Problem> problem_of(uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  return make_supervised(
      network_of(std::make_shared<Dropped>(), {.precision = Precision::float64}),
      make_cross_entropy(),
      *make_synthetic({1, 4, 4, 3}, {.root = {}, .train_examples = 48, .test_examples = 20}),
      {.batch_size = 8, .seed = seed, .precision = Precision::float64});
}

Tensor outputs(Problem& problem, const Tensor& x) {
  const at::NoGradGuard no_grad;
  return problem.network->forward(x);
}

TEST(RandomLayers, DrawTheSameInEveryPassOfAStepAndOthersInTheNext) {
  const auto problem = problem_of(0);
  const Tensor x = problem->batches->next().inputs;
  draw_for_step(*problem, 3);
  const Tensor z = outputs(*problem, x);
  EXPECT_TRUE(at::equal(outputs(*problem, x), z));
  const auto [again, other] = problem->network->forward_both(x, x.narrow(0, 0, 4));
  EXPECT_TRUE(at::equal(again, z));
  EXPECT_TRUE(at::equal(other, outputs(*problem, x.narrow(0, 0, 4))));
  draw_for_step(*problem, 4);
  EXPECT_FALSE(at::equal(outputs(*problem, x), z));
  draw_for_step(*problem, 3);
  EXPECT_TRUE(at::equal(outputs(*problem, x), z));
  problem->seed = 1;
  draw_for_step(*problem, 3);
  EXPECT_FALSE(at::equal(outputs(*problem, x), z));
}

TEST(RandomLayers, TheDiscrepancyOfNoStepIsZeroAndJIsTheBaseStepsLoss) {
  const auto problem = problem_of(0);
  draw_for_step(*problem, 0);
  const Batch x = problem->batches->next();
  const Batch x_tilde = problem->discrepancy_batches->next();
  const Tensor loss = loss_on(*problem, x);
  const TensorList g = gradient(loss, problem->network->parameters());
  const auto rule = make_sgd({}, {.learning_rate = 0.1});
  const Statistics xi;
  const PendingStep step{*problem, *rule, g, xi, x, x_tilde};
  const auto discrepancy = make_squared_euclidean({});
  const Hyperparameters phi(
      rule->hyperparameters(), {"learning_rate"}, std::vector<int64_t>(4, 0), 1, at::kCPU);
  ProximalObjective objective(step, *discrepancy, {.lambda = 100});
  const size_t eta = phi.index("learning_rate");
  const Tensor zero = at::zeros_like(phi.value(eta));
  EXPECT_EQ(objective.value(phi.values_with({eta}, {zero})), to_double(loss));
  EXPECT_GT(to_double(objective.gradient(phi).terms.discrepancy), 0);
}

struct Side {
  explicit Side(const std::string& tuner_name, uint64_t seed = 0)
      : problem(problem_of(seed)),
        tuner(test::make_tuner(tuner_name)),
        trainer(*problem, *rule, *tuner, {.steps = kSteps}, {&trace}) {}
  std::unique_ptr<Problem> problem;
  std::unique_ptr<UpdateRule> rule = make_rmsprop({}, {.learning_rate = 0.01});
  std::unique_ptr<Tuner> tuner;
  test::StepRecorder trace;
  Trainer trainer;
};

class RandomLayersWith : public testing::TestWithParam<std::string> {};

TEST_P(RandomLayersWith, ResumeEqualsTheWholeRunWhateverElseDraws) {
  Side whole(GetParam());
  whole.trainer.advance_to(kSteps);
  Side first(GetParam());
  first.trainer.advance_to(5);
  at::manual_seed(123);  // by somebody else
  Side second(GetParam());
  const State state = state_of([&](StateVisitor& v) { first.trainer.visit_state(v); });
  restore(state, at::kCPU, [&](StateVisitor& v) { second.trainer.visit_state(v); });
  second.trainer.advance_to(kSteps);
  std::vector<double> losses = first.trace.losses();
  const std::vector<double> rest = second.trace.losses();
  losses.insert(losses.end(), rest.begin(), rest.end());
  EXPECT_EQ(losses, whole.trace.losses());
  std::vector<double> rates = first.trace.rates();
  const std::vector<double> other = second.trace.rates();
  rates.insert(rates.end(), other.begin(), other.end());
  EXPECT_EQ(rates, whole.trace.rates());
}

TEST_P(RandomLayersWith, AnotherSeedGivesAnotherRun) {
  Side one(GetParam(), 0);
  Side other(GetParam(), 1);
  one.trainer.advance_to(kSteps);
  other.trainer.advance_to(kSteps);
  EXPECT_NE(one.trace.losses(), other.trace.losses());
}

INSTANTIATE_TEST_SUITE_P(All,
                         RandomLayersWith,
                         testing::ValuesIn(test::tuner_names()),
                         test::test_name);

}  // namespace
}  // namespace apo
