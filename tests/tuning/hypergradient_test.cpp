#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "apo/tuning/tuner.h"
#include "support/quadratic_problem.h"
#include "support/recorder.h"
#include "support/registry_names.h"
#include "support/tiny_problem.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using Form = HypergradientOptions::Form;

std::unique_ptr<Tuner> hypergradient(Form form, double rate) {
  HypergradientOptions options;
  options.form = form;
  options.rate = rate;
  return make_hypergradient(options);
}

/// ℓ = ½ · 2 θ², from θ = 1.
test::QuadraticProblem parabola() {
  return {at::full({1, 1}, 2.0, at::kDouble), at::full({1}, 1.0, at::kDouble)};
}

TEST(Hypergradient, AdditiveOnAParabolaIsAsByHand) {
  // g = 2 θ, h = −g_t g_{t−1}, η ← η + 0.01 g_t g_{t−1}, θ ← θ − η g:
  //   t  θ           g          η
  //   0  1           2          0.1
  //   1  0.8         1.6        0.1 + 0.01 · 1.6 · 2 = 0.132
  //   2  0.5888      1.1776     0.132 + 0.01 · 1.1776 · 1.6 = 0.1508416
  //   3  0.41116893…            and so on
  test::QuadraticProblem problem = parabola();
  const auto run = test::record(problem,
                                *make_sgd({}, {.learning_rate = 0.1}),
                                *hypergradient(Form::additive, 0.01),
                                {.steps = 3});
  const std::vector<double> eta = run.rates();
  EXPECT_EQ(eta[0], 0.1);
  EXPECT_NEAR(eta[1], 0.132, 1e-15);  // a few roundings of 1e-16
  EXPECT_NEAR(eta[2], 0.1508416, 1e-15);
  EXPECT_NEAR(run.steps[1].loss, 0.64, 1e-15);
  EXPECT_NEAR(run.steps[2].loss, 0.34668544, 1e-15);
  EXPECT_NEAR(problem.network->parameters()[0].item<double>(), 0.5888 - 0.1508416 * 1.1776, 1e-15);
}

TEST(Hypergradient, MultiplicativeInOneDimensionGrowsByBetaUntilTheGradientTurns) {
  // h / (‖g‖ ‖u‖) is −1 where the gradient keeps its sign and 1 where it turns. θ ← (1 − 2 η) θ, so
  // it turns at every step while η > 0.5.
  test::QuadraticProblem slow = parabola();
  const auto growing = test::record(slow,
                                    *make_sgd({}, {.learning_rate = 0.1}),
                                    *hypergradient(Form::multiplicative, 0.25),
                                    {.steps = 4});
  const double growth[] = {0.1, 0.125, 0.15625, 0.1953125};
  for (size_t t = 0; t < 4; ++t) EXPECT_NEAR(growing.rates()[t], growth[t], 1e-15) << t;

  test::QuadraticProblem fast = parabola();
  const auto shrinking = test::record(fast,
                                      *make_sgd({}, {.learning_rate = 0.9}),
                                      *hypergradient(Form::multiplicative, 0.25),
                                      {.steps = 3});
  const double decay[] = {0.9, 0.675, 0.50625};
  for (size_t t = 0; t < 3; ++t) EXPECT_NEAR(shrinking.rates()[t], decay[t], 1e-15) << t;
}

TEST(Hypergradient, StaysPositive) {
  // θ jumps from 1 to −2.6: h = 10.4, and the additive step would take η below 0.
  test::QuadraticProblem problem = parabola();
  const auto run = test::record(problem,
                                *make_sgd({}, {.learning_rate = 1.8}),
                                *hypergradient(Form::additive, 1),
                                {.steps = 2});
  EXPECT_EQ(run.rates()[1], 1e-12);
}

TEST(Hypergradient, AtTheOptimumNothingMoves) {
  test::QuadraticProblem problem(at::full({1, 1}, 2.0, at::kDouble),
                                 at::full({1}, 0.0, at::kDouble));
  for (const Form form : {Form::additive, Form::multiplicative}) {
    const auto run = test::record(
        problem, *make_sgd({}, {.learning_rate = 0.1}), *hypergradient(form, 0.5), {.steps = 4});
    EXPECT_EQ(run.rates(), (std::vector<double>{0.1, 0.1, 0.1, 0.1}));
  }
}

/// The registered rules and, for its decoupled decay, AdamW.
class HypergradientWithRule : public testing::TestWithParam<std::string> {
 public:
  static std::vector<std::string> rules() {
    std::vector<std::string> names = test::tunable_rules();
    names.emplace_back("adamw");
    return names;
  }

 protected:
  static std::unique_ptr<UpdateRule> make_rule(double learning_rate, double weight_decay) {
    RuleSetting setting{.learning_rate = learning_rate, .weight_decay = weight_decay};
    if (GetParam() == "adamw") {
      setting.weight_decay_form = WeightDecay::decoupled;
      return make_adam({}, setting);
    }
    return ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), GetParam()).make(setting);
  }
};

TEST_P(HypergradientWithRule, FollowsTheDerivativeOfTheLossThroughTheRealUpdate) {
  // The same steps by hand, with h by reverse-mode differentiation of ℓ_t(θ_t(η_{t−1})).
  const auto rule = make_rule(0.05, 0.02);
  const double beta = 1e-3;
  test::TinyProblem problem;
  const std::vector<double> eta =
      test::record(problem, *rule, *hypergradient(Form::additive, beta), {.steps = 4}).rates();

  test::TinyProblem twin;
  Statistics xi = rule->initial_statistics(twin.network->parameters());
  Hyperparameters phi(rule->hyperparameters(), {}, {0, 0, 0, 0}, 1, at::kCPU);
  TensorList pending;
  Tensor leaf;
  for (size_t t = 0; t < eta.size(); ++t) {
    const TensorList& trained = twin.network->parameters();
    const Batch x = twin.batches->next();
    const TensorList g =
        with_coupled_decay(trained, gradient(loss_on(twin, x), trained), rule->coupled_decay());
    if (t > 0) {
      const double h = torch::autograd::grad(pending, {leaf}, g)[0].item<double>();
      EXPECT_NE(h, 0);
      phi.set(0, phi.value(0).item<double>() - beta * h);
    }
    EXPECT_NEAR(eta[t], phi.value(0).item<double>(), 1e-14) << t;  // rounding in sums of 40 numbers
    rule->observe_curvature(twin, x, xi);
    rule->observe(g, xi);
    leaf = phi.value(0).clone().requires_grad_();
    const TensorList theta = clone(twin.network->parameters());
    pending = rule->propose({theta, g, xi}, phi.values_with({0}, {leaf}));
    rule->step(twin.network->parameters(), g, xi, phi.values());
  }
}

TEST_P(HypergradientWithRule, WithRateZeroEqualsAConstantRateBitForBit) {
  const auto rule = make_rule(0.05, 0);
  for (const Form form : {Form::additive, Form::multiplicative}) {
    test::TinyProblem problem, twin;
    const auto run = test::record(problem, *rule, *hypergradient(form, 0), {.steps = 20});
    const auto constant = test::record(twin, *rule, *make_constant({}), {.steps = 20});
    EXPECT_EQ(run.losses(), constant.losses());
    EXPECT_EQ(run.rates(), constant.rates());
  }
}

TEST_P(HypergradientWithRule, RaisesATinyRate) {
  const auto rule = make_rule(1e-6, 0);
  test::TinyProblem problem;
  const auto run =
      test::record(problem, *rule, *hypergradient(Form::multiplicative, 0.1), {.steps = 100});
  EXPECT_GT(run.rates().back(), 5e-6);
}

INSTANTIATE_TEST_SUITE_P(All,
                         HypergradientWithRule,
                         testing::ValuesIn(HypergradientWithRule::rules()),
                         test::test_name);

}  // namespace
}  // namespace apo
