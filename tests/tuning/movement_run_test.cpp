// The movement tuner in networks and whole runs.
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::rates;
using test::run;

TEST(MovementTuner, StepsAsFarWithNoMomentumAsARuleThatHasNone) {
  const auto rule = make_sgdm({.momentum = 0}, kSetting);
  const TrainOptions train{.steps = 30, .auto_learning_rate = true};
  EXPECT_EQ(rates(*run(*make_movement({}), *rule, train)),
            rates(*run(*make_movement({}), *make_sgd({}, kSetting), train)));
}

TEST(MovementTuner, SeesHowTheOutputsOfOtherExamplesMove) {
  test::TinyProblem problem;
  const auto rule = make_sgd({}, kSetting);
  Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, {0, 0, 0, 0}, 1, at::kCPU);
  const Batch x = problem.batches->next();
  const Tensor loss = loss_on(problem, x);
  const TensorList g = gradient(loss, problem.network->parameters());
  const TensorList theta = clone(problem.network->parameters());
  const Tensor buffer = problem.network->buffers()[0].clone();
  const Batch x_tilde = test::TinyProblem().discrepancy_batches->next();
  const auto report = make_movement({})->before_step({0, problem, *rule, g, {}, x, loss}, phi);

  for (size_t i = 0; i < theta.size(); ++i) {
    EXPECT_TRUE(at::equal(problem.network->parameters()[i], theta[i]));
  }
  EXPECT_TRUE(at::equal(problem.network->buffers()[0], buffer));
  constexpr double kDelta = 1e-5;  // central differences: both errors near 1e-10
  std::array<TensorList, 2> sides;
  for (size_t i = 0; i < theta.size(); ++i) {
    sides[0].push_back(theta[i] - kDelta * g[i]);
    sides[1].push_back(theta[i] + kDelta * g[i]);
  }
  const Tensor u = (test::TinyNetwork::outputs_at(sides[1], x_tilde.inputs) -
                    test::TinyNetwork::outputs_at(sides[0], x_tilde.inputs)) /
                   (2 * kDelta);
  const double expected = 0.05 * 0.05 * u.square().sum(-1).mean().item<double>();
  const std::vector<double> numbers = to_doubles(report.meta->tensors());
  const double* next = numbers.data();
  // Seen at a step of a thousandth of the weights.
  EXPECT_NEAR(report.meta->read(next).discrepancy[0] / expected, 1, 0.02);
}

TEST(MovementTuner, ChangesARateThatIsGivenByAFactorOfTwoAtMost) {
  const auto far =
      run(*make_movement({.interval = 1}), *make_sgd({}, {.learning_rate = 1e-6}), {.steps = 5});
  const std::vector<double> eta = rates(*far);
  for (size_t t = 0; t < eta.size(); ++t) EXPECT_NEAR(eta[t], 2e-6 * std::pow(2, t), 1e-12);
}

TEST(MovementTuner, MetaStepsAreAFifthOfTheRunSoFarApartUntilThatIsTheInterval) {
  const auto found = run(*make_movement({.interval = 4}), *make_sgd({}, kSetting), {.steps = 30});
  std::vector<int64_t> at;
  for (const MetaRecord& meta : found->trace.metas) at.push_back(meta.step);
  EXPECT_EQ(at,
            (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 18, 20, 24, 28}));
}

TEST(MovementTuner, TrainsANetworkThatSaysNothingAtFirst) {
  test::TinyProblem problem;
  for (const size_t i : {2, 3}) problem.network->parameters()[i].detach().zero_();
  test::MetaRecorder trace;
  train(problem,
        *make_sgd({}, kSetting),
        *make_movement({.budget = 2}),
        {.steps = 200, .auto_learning_rate = true},
        {&trace});
  EXPECT_LT(trace.steps.back().loss, 0.5);
}

}  // namespace
}  // namespace apo
