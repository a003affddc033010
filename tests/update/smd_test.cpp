#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/tuning/tuner.h"
#include "apo/update/update_rule.h"
#include "support/quadratic_problem.h"
#include "support/recorder.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

const Tensor kHessian = at::tensor({2.0, 0.5, 0.5, 1.0}, at::kDouble).view({2, 2});
const Tensor kStart = at::tensor({1.0, -3.0}, at::kDouble);

/// The recurrences of Schraudolph 1999 for ½ θᵀ H θ, in plain numbers, with his δ = −g.
struct ByHand {
  double mu, lambda, floor, weight_decay;
  double theta[2] = {1, -3};
  double p[2] = {0.1, 0.1};
  double v[2] = {0, 0};

  void step() {
    const double h[2][2] = {{2 + weight_decay, 0.5}, {0.5, 1 + weight_decay}};
    double delta[2], hv[2];
    for (int i = 0; i < 2; ++i) {
      delta[i] = -(h[i][0] * theta[0] + h[i][1] * theta[1]);
      hv[i] = h[i][0] * v[0] + h[i][1] * v[1];
    }
    for (int i = 0; i < 2; ++i) {
      p[i] *= std::fmax(floor, 1 + mu * v[i] * delta[i]);
      theta[i] += p[i] * delta[i];
      v[i] = lambda * v[i] + p[i] * (delta[i] - lambda * hv[i]);
    }
  }
};

class SmdByHand : public testing::TestWithParam<ByHand> {};

TEST_P(SmdByHand, FollowsThePapersRecurrences) {
  ByHand hand = GetParam();
  SmdOptions options;
  options.meta_rate = hand.mu;
  options.decay = hand.lambda;
  options.floor = hand.floor;
  test::QuadraticProblem problem(kHessian, kStart);
  const auto rule = make_smd(options, {.learning_rate = 0.1, .weight_decay = hand.weight_decay});
  const auto run = test::record(problem, *rule, *make_constant({}), {.steps = 8});
  for (size_t t = 0; t < 8; ++t) {
    hand.step();
    // Roundings of 1e-16, a few hundred at most.
    EXPECT_NEAR(run.rates()[t], std::sqrt(hand.p[0] * hand.p[1]), 1e-13) << t;
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(problem.network->parameters()[0][i].item<double>(), hand.theta[i], 1e-13) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    SmdByHand,
    testing::Values(ByHand{.mu = 0.1, .lambda = 0.9, .floor = 0.5, .weight_decay = 0},
                    ByHand{.mu = 0.1, .lambda = 0, .floor = 0.5, .weight_decay = 0},
                    ByHand{.mu = 0.05, .lambda = 1, .floor = 0.5, .weight_decay = 0.3},
                    // The second weight's gain meets the floor.
                    ByHand{.mu = 40, .lambda = 0.9, .floor = 0.7, .weight_decay = 0}));

TEST(Smd, TheFirstTwoStepsOnAParabolaAreAsByHand) {
  // ℓ = θ² from θ = 1, η = 0.1, μ = 0.5, λ = 0.9:
  //   g = 2:    p = 0.1, θ = 0.8, v = −0.1 · 2 = −0.2
  //   g = 1.6:  p = 0.1 (1 + 0.5 · 1.6 · 0.2) = 0.116, θ = 0.8 − 0.116 · 1.6 = 0.6144,
  //             v = −0.18 − 0.116 (1.6 − 0.9 · 2 · 0.2) = −0.32384
  //   g = 1.2288: p = 0.116 (1 + 0.5 · 1.2288 · 0.32384) = 0.139080…
  test::QuadraticProblem problem(at::full({1, 1}, 2.0, at::kDouble),
                                 at::full({1}, 1.0, at::kDouble));
  SmdOptions options;
  options.meta_rate = 0.5;
  options.decay = 0.9;
  const auto rule = make_smd(options, {.learning_rate = 0.1});
  const auto run = test::record(problem, *rule, *make_constant({}), {.steps = 3});
  EXPECT_NEAR(run.rates()[0], 0.1, 1e-15);
  EXPECT_NEAR(run.rates()[1], 0.116, 1e-15);
  EXPECT_NEAR(run.steps[2].loss, 0.6144 * 0.6144, 1e-15);
  EXPECT_NEAR(run.rates()[2], 0.116 * (1 + 0.5 * 1.2288 * 0.32384), 1e-15);
}

TEST(Smd, WithMetaRateZeroEqualsGradientDescent) {
  SmdOptions options;
  options.meta_rate = 0;
  const RuleSetting setting{.learning_rate = 0.05};
  const auto tuner = make_constant({});
  test::TinyProblem problem, twin;
  const auto run = test::record(problem, *make_smd(options, setting), *tuner, {.steps = 20});
  const auto constant = test::record(twin, *make_sgd({}, setting), *tuner, {.steps = 20});
  EXPECT_EQ(run.losses(), constant.losses());
  EXPECT_TRUE(at::equal(problem.network->buffers()[0], twin.network->buffers()[0]));
  for (const double rate : run.rates()) EXPECT_NEAR(rate, 0.05, 1e-15);
}

TEST(Smd, GainsOfWeightsMoveApartAndRaiseATinyRate) {
  SmdOptions options;
  options.meta_rate = 10;
  const auto rule = make_smd(options, {.learning_rate = 1e-3});
  test::TinyProblem problem;
  const auto run = test::record(problem, *rule, *make_constant({}), {.steps = 200});
  EXPECT_GT(run.rates().back(), 2e-3);
}

TEST(Smd, ARateThatIsMovedScalesTheStepOfEveryWeight) {
  const auto rule = make_smd({}, {.learning_rate = 0.1});
  const TensorList theta = {at::tensor({1.0, -3.0}, at::kDouble)};
  const TensorList g = {at::tensor({0.5, 2.0}, at::kDouble)};
  Statistics xi = rule->initial_statistics(theta);
  rule->observe(g, xi);
  Hyperparameters phi(rule->hyperparameters(), 1);
  phi.set(0, 0.02);
  const Tensor moved = theta[0] - rule->propose({theta, g, xi}, phi.values())[0];
  EXPECT_LT((moved - 0.02 * g[0]).abs().max().item<double>(), 1e-15);  // gains are still 0.1
  EXPECT_NEAR(rule->mean_rate(phi.value(0), xi).item<double>(), 0.02, 1e-15);
}

}  // namespace
}  // namespace apo
