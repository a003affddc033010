#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "apo/model/taps.h"
#include "apo/update/update_rule.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

constexpr int64_t kIn = 4, kOut = 3, kBatch = 12;

/// z = W x + b, ℓ = ½ ‖z − y‖² averaged: a Gaussian likelihood of unit variance. One batch is the
/// whole data set. The drawn noise is a whole number of every √out · eₖ, so that its second moment
/// is the likelihood's own, I, exactly.
struct LinearNetwork : Network {
  explicit LinearNetwork(at::Generator generator)
      : Network({{at::randn({kOut, kIn}, generator, at::kDouble).requires_grad_(),
                  at::randn({kOut}, generator, at::kDouble).requires_grad_()},
                 {"fc.weight", "fc.bias"}}) {}
  Tensor forward(const Tensor& x) override {
    Tensor z = at::linear(x, parameters()[0], parameters()[1]);
    if (TapScope* scope = TapScope::open()) {
      scope->add({parameters()[0], parameters()[1], x, z, {}, {}, {}});
    }
    return z;
  }
};

struct GaussianLoss : Loss {
  Tensor value(const Tensor& z, const Batch& x) const override {
    return (z - x.targets).square().sum() / (2 * kBatch);
  }
  Tensor sampled_targets(const Tensor& z, at::Generator&) const override {
    return z.detach() + std::sqrt(kOut) * at::eye(kOut, at::kDouble).repeat({kBatch / kOut, 1});
  }
};

struct LinearRegression : Problem {
  LinearRegression() {
    at::Generator generator = make_generator(3, RandomStream::model);
    const Tensor inputs = at::randn({kBatch, kIn}, generator, at::kDouble);
    Batch all{inputs, at::randn({kBatch, kOut}, generator, at::kDouble)};
    const Draw draw = [all](at::Generator&) { return all; };
    network = std::make_unique<LinearNetwork>(generator);
    loss = std::make_unique<GaussianLoss>();
    batches = make_drawn(0, RandomStream::training_batches, draw);
    discrepancy_batches = make_drawn(0, RandomStream::discrepancy_batches, draw);
  }
};

/// The step's change of θ as one vector: per output the weights, then its bias, as K-FAC orders
/// them.
Tensor joint_vector(const TensorList& theta) {
  return at::cat({theta[0], theta[1].unsqueeze(1)}, 1).flatten();
}

/// Whatever a rule needs before it can propose a step on its problem's next batch.
struct Prepared {
  explicit Prepared(const KfacOptions& options, const RuleSetting& setting = {.learning_rate = 1})
      : rule(make_kfac(options, setting)),
        xi(rule->initial_statistics(problem.network->parameters())) {
    observe();
  }
  void observe() {
    x = problem.batches->next();
    g = gradient(loss_on(problem, x), problem.network->parameters());
    rule->observe_curvature(problem, x, xi);
    rule->observe(g, xi);
  }
  TensorList proposal(Momentum momentum = Momentum::apply) const {
    return rule->propose({theta, g, xi, momentum}, phi.values());
  }

  LinearRegression problem;
  std::unique_ptr<UpdateRule> rule;
  Statistics xi;
  TensorList theta = detached(problem.network->parameters());
  Hyperparameters phi{rule->hyperparameters(), 2};
  Batch x;
  TensorList g;
};

TEST(Kfac, WithoutDampingItIsTheNaturalGradientStepOfALinearNetwork) {
  Prepared at({.damping = 1e-13});
  // Dense Gauss-Newton: G = Σ Jᵀ J / B with J the Jacobian of one example's outputs.
  Tensor gauss_newton = at::zeros({kOut * (kIn + 1), kOut * (kIn + 1)}, at::kDouble);
  const Tensor z = at.problem.network->forward(at.x.inputs);
  for (int64_t n = 0; n < kBatch; ++n) {
    TensorList rows;
    for (int64_t k = 0; k < kOut; ++k) {
      rows.push_back(joint_vector(
          torch::autograd::grad({z[n][k]}, at.problem.network->parameters(), {}, true)));
    }
    const Tensor jacobian = at::stack(rows);
    gauss_newton += at::matmul(jacobian.t(), jacobian) / kBatch;
  }
  const Tensor expected =
      joint_vector(at.theta) - at::linalg_solve(gauss_newton, joint_vector(at.g));
  EXPECT_LT((joint_vector(at.proposal()) - expected).abs().max().item<double>(), 1e-10);
  // The problem is quadratic with unit curvature in the outputs, so that step ends at the optimum.
  at.rule->step(at.problem.network->parameters(), at.g, at.xi, at.phi.values());
  at.observe();
  EXPECT_LT(joint_vector(at.g).abs().max().item<double>(), 1e-10);
}

TEST(Kfac, DampedStepsSolveTheDenseSystem) {
  constexpr double kDamping = 0.3;
  using Style = KfacOptions::DampingStyle;
  for (const Style style : {Style::exact, Style::factored}) {
    const bool exact = style == Style::exact;
    const Prepared at({.damping = kDamping, .damping_style = style});
    const Tensor& inputs = at.xi.blocks[0].inputs.moment;
    const Tensor& gradients = at.xi.blocks[0].output_gradients.moment;
    const auto identity = [](int64_t n) { return at::eye(n, at::kDouble); };
    const double root = std::sqrt(kDamping);
    const Tensor dense =
        exact ? at::kron(gradients, inputs) + kDamping * identity(kOut * (kIn + 1))
              : at::kron(gradients + root * identity(kOut), inputs + root * identity(kIn + 1));
    const Tensor expected = joint_vector(at.theta) - at::linalg_solve(dense, joint_vector(at.g));
    EXPECT_LT((joint_vector(at.proposal()) - expected).abs().max().item<double>(), 1e-12) << exact;
  }
}

TEST(Kfac, KlClippingBoundsTheSquaredStepInTheFisherMetric) {
  constexpr double kClip = 1e-3;
  const Prepared free({.damping = 0.1}), clipped({.damping = 0.1, .kl_clip = kClip});
  const Tensor step = joint_vector(free.theta) - joint_vector(free.proposal());
  const double size = (joint_vector(free.g) * step).sum().item<double>();  // η² gᵀ P g, η = 1
  ASSERT_GT(size, kClip);
  const Tensor expected = step * std::sqrt(kClip / size);
  const Tensor actual = joint_vector(clipped.theta) - joint_vector(clipped.proposal());
  EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-14);
}

TEST(Kfac, MomentumGathersGradientsAndMayBeIgnored) {
  Prepared at({.momentum = 0.9});
  const TensorList first = at.proposal();
  at.observe();  // the same gradient once more: v = 1.9 g
  const Tensor once = joint_vector(at.theta) - joint_vector(first);
  const Tensor twice = joint_vector(at.theta) - joint_vector(at.proposal());
  EXPECT_LT((twice - 1.9 * once).abs().max().item<double>(), 1e-12);
  const Tensor ignored = joint_vector(at.theta) - joint_vector(at.proposal(Momentum::ignore));
  EXPECT_LT((ignored - once).abs().max().item<double>(), 1e-12);
}

TEST(Kfac, TheFactorsBeginAsTheMeanOfTheWarmUpBatches) {
  test::TinyProblem problem, twin;
  const auto rule =
      make_kfac({.fisher = Fisher::empirical, .factor_decay = 0.5, .warmup_batches = 3}, {});
  Statistics xi = rule->initial_statistics(problem.network->parameters());
  const Batch x = problem.batches->next();
  rule->observe_curvature(problem, x, xi);
  Tensor mean;
  for (int n = 0; n < 3; ++n) {
    const auto moments = curvature(twin, twin.discrepancy_batches->next(), {Fisher::empirical}, 0);
    mean = n == 0 ? moments[1].inputs : mean + moments[1].inputs;
  }
  const Tensor of_x = curvature(twin, x, {Fisher::empirical}, 0)[1].inputs;
  const Tensor expected = 0.5 * mean / 3 + 0.5 * of_x;
  EXPECT_LT((xi.blocks[1].inputs.moment - expected).abs().max().item<double>(), 1e-14);
}

TEST(Kfac, BetweenDecompositionsTheEigenvaluesAreTheCurvatureAlongTheOldBasis) {
  test::TinyProblem problem;
  const auto rule =
      make_kfac({.factor_interval = 1, .inverse_interval = 1, .basis_interval = 4}, {});
  Statistics xi = rule->initial_statistics(problem.network->parameters());
  xi.curvature_steps = 4;  // a multiple of 1 · 4
  rule->observe_curvature(problem, problem.batches->next(), xi);
  const Tensor basis = xi.blocks[0].inputs.vectors.clone();
  xi.curvature_steps = 5;
  rule->observe_curvature(problem, problem.batches->next(), xi);
  const KroneckerFactor& factor = xi.blocks[0].inputs;
  EXPECT_TRUE(at::equal(factor.vectors, basis));
  for (int64_t k = 0; k < basis.size(1); ++k) {
    const Tensor along = basis.select(1, k);
    const double expected = along.dot(factor.moment.mv(along)).item<double>();
    EXPECT_NEAR(factor.values[k].item<double>(), expected, 1e-14);
  }
  xi.curvature_steps = 8;
  rule->observe_curvature(problem, problem.batches->next(), xi);
  EXPECT_FALSE(at::equal(xi.blocks[0].inputs.vectors, basis));
}

TEST(Kfac, ParametersWithoutABlockTakeThePlainGradient) {
  Prepared at({.damping = 0.5}, {.learning_rate = 0.1});
  at.xi.blocks.clear();
  const TensorList next = at.proposal();
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(next[i], at.theta[i] - 0.1 * at.g[i]));
}

}  // namespace
}  // namespace apo
