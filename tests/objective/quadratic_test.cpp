// The second-order model of J, against J itself and against differences of the outputs.
#include "apo/objective/quadratic.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apo/model/model.h"
#include "apo/model/module_network.h"
#include "apo/update/observe.h"
#include "support/layers.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using Case = std::tuple<std::string, Momentum>;

/// A pending step of each rule after a few real ones, with a rate for each of two layers.
class QuadraticTermsOf : public testing::TestWithParam<Case> {
 protected:
  QuadraticTermsOf() {
    for (int t = 0; t < 3; ++t) {
      x_ = problem_.batches->next();
      g_ = gradient(loss_on(problem_, x_), problem_.network->parameters());
      rule_->observe_curvature(problem_, x_, xi_);
      rule_->observe(g_, xi_);
      if (t < 2) rule_->step(problem_.network->parameters(), g_, xi_, phi_.values());
    }
    theta_ = clone(problem_.network->parameters());
  }

  QuadraticTerms terms(const std::string& discrepancy, const ProximalOptions& options = {}) {
    ProximalOptions with = options;
    with.momentum = std::get<1>(GetParam());
    const auto made = ChoiceOf<Discrepancy>(discrepancies(), discrepancy).make();
    return quadratic_terms(step_, *made, with, phi_);
  }

  /// f(x, θ + δ ∂θ′/∂η_l): every rule's step is a multiple of its rate.
  Tensor outputs(const Batch& x, size_t l, double delta) const {
    TensorList theta = theta_;
    for (const size_t i : {2 * l, 2 * l + 1}) {
      const double rate = phi_.value(0)[static_cast<int64_t>(l)].item<double>();
      theta[i] = theta_[i] + delta / rate * (proposed_[i] - theta_[i]);
    }
    return test::TinyNetwork::outputs_at(theta, x.inputs);
  }

  /// u_l by central differences: truncation and rounding are near 1e-10 of it at δ = 1e-5.
  Tensor moved(const Batch& x, size_t l) const {
    constexpr double kDelta = 1e-5;
    return (outputs(x, l, kDelta) - outputs(x, l, -kDelta)) / (2 * kDelta);
  }

  test::TinyProblem problem_;
  std::unique_ptr<UpdateRule> rule_ =
      UpdateRuleChoice(update_rules(), std::get<0>(GetParam())).make({.learning_rate = 0.05});
  Hyperparameters phi_{rule_->hyperparameters(), {"learning_rate"}, {0, 0, 1, 1}, 2, at::kCPU};
  Statistics xi_ = rule_->initial_statistics(problem_.network->parameters());
  Batch x_;
  Batch x_tilde_ = problem_.discrepancy_batches->next();
  TensorList g_;
  TensorList theta_;
  PendingStep step_{problem_, *rule_, g_, xi_, x_, x_tilde_};
  TensorList proposed_ = {};

  void SetUp() override {
    proposed_ = rule_->propose({theta_, g_, xi_, std::get<1>(GetParam())}, phi_.values());
  }
};

TEST_P(QuadraticTermsOf, DescentsAreTheSlopesOfTheLossOnEitherBatch) {
  const QuadraticTerms found = terms("squared_euclidean");
  for (size_t l = 0; l < 2; ++l) {
    const auto slope = [&](const Batch& x) {
      constexpr double kDelta = 1e-5;
      const Tensor above = problem_.loss->value(outputs(x, l, kDelta), x);
      const Tensor below = problem_.loss->value(outputs(x, l, -kDelta), x);
      return ((above - below) / (2 * kDelta)).item<double>();
    };
    const auto at = static_cast<int64_t>(l);
    const double own = slope(x_);
    const double other = slope(x_tilde_);
    EXPECT_NEAR(found.descent[at].item<double>(), -own, 1e-8 * (1 + std::abs(own)));
    EXPECT_NEAR(found.held_out[at].item<double>(), -other, 1e-8 * (1 + std::abs(other)));
  }
}

TEST_P(QuadraticTermsOf, DescentIsThatOfTheLossWhereItsGradientIsClipped) {
  const auto rule = UpdateRuleChoice(update_rules(), std::get<0>(GetParam()))
                        .make({.learning_rate = 0.05, .clip_norm = 0.01});
  const TensorList g = clipped(g_, rule->clip_norm());
  const PendingStep step{problem_, *rule, g, xi_, x_, x_tilde_};
  const Momentum momentum = std::get<1>(GetParam());
  const auto discrepancy = make_squared_euclidean({});
  const QuadraticTerms found = quadratic_terms(step, *discrepancy, {.momentum = momentum}, phi_);
  const TensorList u = rule->rate_derivative({theta_, g, xi_, momentum}, phi_);
  for (size_t l = 0; l < 2; ++l) {
    double slope = 0;
    for (const size_t i : {2 * l, 2 * l + 1}) slope += (g_[i] * u[i]).sum().item<double>();
    const auto at = static_cast<int64_t>(l);
    EXPECT_NEAR(found.descent[at].item<double>(), -slope, 1e-13 * (1 + std::abs(slope)));
  }
}

TEST_P(QuadraticTermsOf, CurvatureIsThatOfSoftmaxAlongTheMovesOfTheOutputs) {
  const QuadraticTerms found = terms("squared_euclidean");
  const Tensor p = test::TinyNetwork::outputs_at(theta_, x_tilde_.inputs).softmax(-1);
  for (size_t k = 0; k < 2; ++k) {
    for (size_t l = 0; l < 2; ++l) {
      const Tensor u = moved(x_tilde_, k);
      const Tensor v = moved(x_tilde_, l);
      const Tensor covariance = (p * u * v).sum(-1) - (p * u).sum(-1) * (p * v).sum(-1);
      const auto row = static_cast<int64_t>(k);
      const auto column = static_cast<int64_t>(l);
      const double expected = covariance.mean().item<double>();
      EXPECT_NEAR(found.curvature[row][column].item<double>(), expected, 1e-8 * std::abs(expected));
      const double distance = 2 * (u * v).sum(-1).mean().item<double>();
      EXPECT_NEAR(
          found.discrepancy[row][column].item<double>(), distance, 1e-8 * std::abs(distance));
    }
  }
}

/// For softmax the metric of KL and of the Bregman divergence is the loss's own Hessian.
TEST_P(QuadraticTermsOf, EveryDiscrepancyHasItsOwnCurvature) {
  const Tensor hessian = terms("squared_euclidean").curvature;
  const auto close = [&](const Tensor& found, double factor) {
    return (found - factor * hessian).abs().max().item<double>() < 1e-12;
  };
  EXPECT_TRUE(close(terms("kl").discrepancy, 1));
  EXPECT_TRUE(close(terms("bregman").discrepancy, 1));
  EXPECT_TRUE(close(terms("second_order").discrepancy, 2));
}

TEST_P(QuadraticTermsOf, TheProximalTermIsWeighedAndHoldsTheMoveOfTheWeights) {
  const QuadraticTerms found = terms("kl", {.lambda = 3, .weight_lambda = 0.5});
  Tensor expected = 3 * found.discrepancy;
  for (int64_t l = 0; l < 2; ++l) {
    double squares = 0;
    for (const int64_t i : {2 * l, 2 * l + 1}) {
      const auto at = static_cast<size_t>(i);
      squares += ((proposed_[at] - theta_[at]) / phi_.value(0)[l]).square().sum().item<double>();
    }
    expected[l][l] += 0.5 * squares;
  }
  EXPECT_LT((found.proximal - expected).abs().max().item<double>(),
            1e-12 * expected.abs().max().item<double>());
}

TEST_P(QuadraticTermsOf, ALinearLossHasNoCurvature) {
  const QuadraticTerms found = terms("kl", {.loss_term = LossTerm::linear});
  EXPECT_TRUE(at::equal(found.curvature, at::zeros_like(found.curvature)));
}

TEST_P(QuadraticTermsOf, NothingIsLeftBehind) {
  const Tensor buffer = problem_.network->buffers()[0].clone();
  terms("kl");
  EXPECT_TRUE(at::equal(problem_.network->buffers()[0], buffer));
  for (size_t i = 0; i < theta_.size(); ++i) {
    const Tensor& parameter = problem_.network->parameters()[i];
    EXPECT_TRUE(at::equal(parameter, theta_[i]));
    EXPECT_FALSE(parameter._fw_grad(0).defined());
  }
}

/// A network with BatchNorm, and its outputs written out: as a function of θ on a batch, by which
/// it normalises.
struct NormalisedProblem : test::TinyProblem {
  NormalisedProblem() {
    at::manual_seed(0);
    SequentialOptions options;
    options.layers = test::layers_of("{name: linear, outputs: 5}, batch_norm, tanh, linear");
    network = network_of(std::shared_ptr<Model>(make_sequential(options, {{4}, 3})),
                         {.precision = Precision::float64});
  }
  static Tensor outputs_at(const TensorList& theta, const Tensor& x) {
    const Tensor h = at::linear(x, theta[0], theta[1]);
    const Tensor deviation = (h - h.mean(0)).square().mean(0).add(1e-5).sqrt();
    const Tensor y = (h - h.mean(0)) / deviation * theta[2] + theta[3];
    return at::linear(y.tanh(), theta[4], theta[5]);
  }
};

TEST(QuadraticTermsWithBatchNorm, OutputsMoveAsTheyDoByTheStatisticsOfTheirOwnBatch) {
  NormalisedProblem problem;
  const TensorList& theta = problem.network->parameters();
  const auto rule = make_sgd({}, {.learning_rate = 0.1});
  const Hyperparameters phi(
      rule->hyperparameters(), {"learning_rate"}, std::vector<int64_t>(6), 1, at::kCPU);
  const Statistics xi = rule->initial_statistics(theta);
  const Batch x = problem.batches->next();
  const Batch x_tilde = problem.discrepancy_batches->next();
  const TensorList g = gradient(loss_on(problem, x), theta);
  const TensorList buffers = clone(problem.network->buffers());
  const QuadraticTerms terms =
      quadratic_terms({problem, *rule, g, xi, x, x_tilde}, *make_squared_euclidean({}), {}, phi);

  const auto at_rate = [&](double rate) {
    TensorList moved;
    for (size_t i = 0; i < g.size(); ++i) moved.push_back(theta[i].detach() - rate * g[i]);
    return NormalisedProblem::outputs_at(moved, x_tilde.inputs);
  };
  constexpr double kDelta = 1e-5;
  const Tensor u = (at_rate(kDelta) - at_rate(-kDelta)) / (2 * kDelta);
  const double distance = 2 * u.square().sum(-1).mean().item<double>();
  EXPECT_NEAR(terms.discrepancy.item<double>() / distance, 1, 1e-8);
  const auto loss_at = [&](double rate) {
    return problem.loss->value(at_rate(rate), x_tilde).item<double>();
  };
  const double descent = (loss_at(-kDelta) - loss_at(kDelta)) / (2 * kDelta);
  EXPECT_NEAR(terms.held_out.item<double>() / descent, 1, 1e-8);
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_TRUE(at::equal(problem.network->buffers()[i], buffers[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         QuadraticTermsOf,
                         testing::Combine(testing::ValuesIn(test::tunable_rules()),
                                          testing::Values(Momentum::ignore, Momentum::apply)),
                         [](const auto& info) {
                           const bool applied = std::get<1>(info.param) == Momentum::apply;
                           return std::get<0>(info.param) + (applied ? "_with_momentum" : "");
                         });

}  // namespace
}  // namespace apo
