// Hyperparameters that are matrices: a preconditioner per layer, learned by the meta steps that
// learn rates.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/objective/proximal.h"
#include "apo/update/elementwise.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::run;

/// θ′ = θ − η (g + M g), M of a layer with n outputs: [n, n], from 0; of its weight and its bias.
class Preconditioned : public ElementwiseRule {
 public:
  explicit Preconditioned(const RuleSetting& setting) : ElementwiseRule(0, setting) {}

  std::vector<HyperparameterSpec> hyperparameters() const override {
    const auto outputs_squared = [](const TensorList& layer) {
      return std::vector<int64_t>{layer[0].size(0), layer[0].size(0)};
    };
    return {learning_rate(),
            {"preconditioner", Transform::identity, 0, Range::any(), outputs_squared}};
  }

 protected:
  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    ElementwiseStep step{.rate = phi[0]};
    for (size_t i = 0; i < from.g.size(); ++i) {
      step.direction.push_back(from.g[i] + at::matmul(phi[1][i], from.g[i]));
    }
    return step;
  }
};

const Preconditioned kRule({.learning_rate = 0.05});

ApoOptions tuned_by(const std::string& meta_rule, double meta_rate) {
  ApoOptions options;
  options.form = ApoOptions::Form::paper;
  options.interval = 1;
  options.lambda = 1e-3;
  options.tune = {"learning_rate", "preconditioner"};
  options.meta_optimizer.select(meta_rule);
  options.meta_learning_rate = meta_rate;
  return options;
}

/// φ of the tiny problem, whose layers have 5 and 3 outputs.
Hyperparameters phi_of(test::TinyProblem& problem) {
  return {kRule.hyperparameters(),
          {"learning_rate", "preconditioner"},
          {0, 0, 0, 0},
          1,
          at::kCPU,
          {problem.network->parameters(), {0, 0, 1, 1}}};
}

/// J of a first step, as a function of φ.
class MatricesOf : public testing::Test {
 protected:
  test::TinyProblem problem_;
  Hyperparameters phi_ = phi_of(problem_);
  Batch x_ = problem_.batches->next();
  Batch x_tilde_ = problem_.discrepancy_batches->next();
  TensorList g_ = gradient(loss_on(problem_, x_), problem_.network->parameters());
  Statistics xi_ = kRule.initial_statistics(problem_.network->parameters());
  std::unique_ptr<Discrepancy> discrepancy_ = make_squared_euclidean({});
  PendingStep step_{problem_, kRule, g_, xi_, x_, x_tilde_};
  ProximalObjective objective_{step_, *discrepancy_, {.lambda = 0.3}};
};

TEST_F(MatricesOf, AStepHaveGradientsThatMatchCentralDifferences) {
  const Tensor analytic = objective_.gradient(phi_).gradient[1];
  ASSERT_EQ(analytic.numel(), 5 * 5 + 3 * 3);
  for (int64_t k = 0; k < analytic.numel(); ++k) {
    // Truncation is O(δ²), rounding 1e-16 J / δ: both below 1e-10 at δ = 1e-5.
    const auto objective_at = [&](double delta) {
      Hyperparameters moved = phi_;
      Tensor target = phi_.stored(1).clone();
      target[k] += delta;
      moved.move(1, target);
      return objective_.value(moved.values());
    };
    const double numeric = (objective_at(1e-5) - objective_at(-1e-5)) / 2e-5;
    EXPECT_NEAR(analytic[k].item<double>(), numeric, 1e-6 * std::abs(numeric) + 1e-10) << k;
  }
}

TEST_F(MatricesOf, AStepFollowTheMetaOptimizerWhichLowersTheObjective) {
  MetaOptimizer sgd(make_sgd({}, {.learning_rate = 0.1}));
  const double before = objective_.value(phi_.values());
  const TensorList first = objective_.gradient(phi_).gradient;
  sgd.step(phi_, first, at::zeros({}, at::kBool));
  EXPECT_LT((phi_.value(1) + 0.1 * first[1]).abs().max().item<double>(), 1e-15);
  EXPECT_LT(objective_.value(phi_.values()), before);
}

TEST(Matrices, OfZeroThatStayAreSgd) {
  const auto still = run(*make_apo(tuned_by("sgd", 0)), kRule, {.steps = 5});
  const auto sgd = run(*make_constant({}), *make_sgd({}, {.learning_rate = 0.05}), {.steps = 5});
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(
        at::equal(still->problem.network->parameters()[i], sgd->problem.network->parameters()[i]));
  }
}

TEST(Matrices, MakeUpForARateThatIsTooSmall) {
  const RuleSetting small{.learning_rate = 1e-3};
  ApoOptions options = tuned_by("rmsprop", 1);
  options.tune = {"preconditioner"};
  const auto sum_of_losses = [&](Tuner& tuner) {
    test::TinyProblem problem;
    const Preconditioned rule(small);
    double sum = 0;
    for (const double loss : test::record(problem, rule, tuner, {.steps = 100}).losses()) {
      sum += loss;
    }
    return sum;
  };
  EXPECT_LT(sum_of_losses(*make_apo(options)), 0.8 * sum_of_losses(*make_constant({})));
}

TEST(Matrices, AreNotTraced) {
  const auto apo = run(*make_apo(tuned_by("rmsprop", 0.01)), kRule, {.steps = 3});
  ASSERT_EQ(apo->trace.metas.size(), 3);
  EXPECT_EQ(apo->trace.metas[0].gradient.size(), 1);     // of the learning rate,
  EXPECT_EQ(apo->trace.metas[0].gradient[0].size(), 1);  // which is global
}

}  // namespace
}  // namespace apo
