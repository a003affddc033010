#include "apo/objective/proximal.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "support/registry_names.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

using Case =
    std::tuple<std::string, std::string, std::string, Momentum>;  // rule, discrepancy, loss term

/// A pending step of each rule after a few real ones, so that its statistics are not trivial.
class ProximalObjectiveOf : public testing::TestWithParam<Case> {
 protected:
  ProximalObjectiveOf() {
    problem_.loss = make_cross_entropy({.label_smoothing = 0.1});
    for (int t = 0; t < 3; ++t) {
      x_ = problem_.batches->next();
      g_ = gradient(loss_on(problem_, x_), problem_.network->parameters());
      rule_->observe_curvature(problem_, x_, xi_);
      rule_->observe(g_, xi_);
      if (t < 2) rule_->step(problem_.network->parameters(), g_, xi_, phi_.values());
    }
  }

  static std::vector<std::string> tunable(const UpdateRule& rule) {
    std::vector<std::string> names;
    for (const HyperparameterSpec& spec : rule.hyperparameters()) names.push_back(spec.name);
    return names;
  }

  /// ∂J/∂(stored h of a group) by central differences. Truncation is O(δ²) relative to the
  /// curvature, rounding 1e-16 J / δ: both near 1e-10 at δ = 1e-5.
  static double numeric_gradient(ProximalObjective& objective,
                                 const Hyperparameters& phi,
                                 size_t h,
                                 int64_t group) {
    constexpr double kDelta = 1e-5;
    const auto objective_at = [&](double delta) {
      Hyperparameters moved = phi;
      Tensor target = phi.stored(h).clone();
      target[group] += delta;
      moved.move(h, target);
      return objective.value(moved.values());
    };
    return (objective_at(kDelta) - objective_at(-kDelta)) / (2 * kDelta);
  }

  test::TinyProblem problem_;
  std::unique_ptr<UpdateRule> rule_ =
      ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), std::get<0>(GetParam()))
          .make({.learning_rate = 0.05,
                 .weight_decay = 0.02,
                 .weight_decay_form = WeightDecay::independent});
  std::unique_ptr<Discrepancy> discrepancy_ =
      ChoiceOf<Discrepancy>(discrepancies(), std::get<1>(GetParam())).make();
  Hyperparameters phi_{rule_->hyperparameters(), tunable(*rule_), {0, 0, 0, 0}, 1, at::kCPU};
  Hyperparameters layered_{rule_->hyperparameters(), tunable(*rule_), {0, 0, 1, 1}, 2, at::kCPU};
  Statistics xi_ = rule_->initial_statistics(problem_.network->parameters());
  Batch x_;
  Batch x_tilde_ = problem_.discrepancy_batches->next();
  TensorList g_;
  PendingStep step_{problem_, *rule_, g_, xi_, x_, x_tilde_};
  bool linear_ = std::get<2>(GetParam()) == "linear";
  ProximalOptions options_{.lambda = 0.3,
                           .weight_lambda = 0.2,
                           .loss_term = linear_ ? LossTerm::linear : LossTerm::loss,
                           .momentum = std::get<3>(GetParam())};
};

TEST_P(ProximalObjectiveOf, GradientsMatchCentralDifferences) {
  ProximalObjective objective(step_, *discrepancy_, options_);
  for (const Hyperparameters& phi : {phi_, layered_}) {
    const TensorList analytic = objective.gradient(phi).gradient;
    for (size_t h = 0; h < phi.specs().size(); ++h) {
      for (int64_t group = 0; group < phi.groups(); ++group) {
        const double numeric = numeric_gradient(objective, phi, h, group);
        EXPECT_NEAR(analytic[h][group].item<double>(), numeric, 1e-6 * std::abs(numeric) + 1e-10)
            << phi.specs()[h].name << " of group " << group;
      }
    }
  }
}

TEST_P(ProximalObjectiveOf, GradientsEqualThoseOfOneGraphThroughTheWhole) {
  const MetaGradient meta = ProximalObjective(step_, *discrepancy_, options_).gradient(phi_);

  const TensorList theta = detached(problem_.network->parameters());
  TensorList leaves;
  for (size_t h = 0; h < phi_.specs().size(); ++h) {
    leaves.push_back(phi_.value(h).clone().requires_grad_());
  }
  const TensorList next =
      rule_->propose({theta, g_, xi_, options_.momentum}, phi_.values_with(phi_.tuned(), leaves));
  const auto loss = [&](const Batch& x) { return OutputLoss{*problem_.loss, x}; };
  const Tensor z = test::TinyNetwork::outputs_at(theta, x_.inputs);
  const Tensor z_next = test::TinyNetwork::outputs_at(next, x_.inputs);
  const Tensor linear = ((z_next - z) * output_gradient(loss(x_), z)).sum();
  Tensor objective = linear_ ? linear : loss(x_)(z_next);
  objective =
      objective + 0.3 * (*discrepancy_)(test::TinyNetwork::outputs_at(next, x_tilde_.inputs),
                                        test::TinyNetwork::outputs_at(theta, x_tilde_.inputs),
                                        loss(x_tilde_));
  for (size_t i = 0; i < theta.size(); ++i) {
    objective = objective + 0.2 / 2 * (next[i] - theta[i]).square().sum();
  }
  const TensorList whole = torch::autograd::grad({objective}, leaves);

  EXPECT_NEAR(meta.terms.objective.item<double>(), objective.item<double>(), 1e-14);
  for (size_t h = 0; h < leaves.size(); ++h) {
    const double expected = (whole[h] * phi_.derivative(h)).item<double>();
    // The same operations in another order: a few roundings.
    EXPECT_NEAR(meta.gradient[h].item<double>(), expected, 1e-12 * std::abs(expected) + 1e-15);
  }
}

TEST_P(ProximalObjectiveOf, LeavesParametersAndBuffersUntouched) {
  const TensorList theta = clone(problem_.network->parameters());
  const TensorList buffers = clone(problem_.network->buffers());
  ProximalObjective objective(step_, *discrepancy_, options_);
  objective.gradient(phi_);
  objective.value(phi_.values());
  for (size_t i = 0; i < theta.size(); ++i) {
    EXPECT_TRUE(at::equal(problem_.network->parameters()[i], theta[i]));
    EXPECT_TRUE(problem_.network->parameters()[i].is_leaf());
  }
  EXPECT_TRUE(at::equal(problem_.network->buffers()[0], buffers[0]));
}

TEST_P(ProximalObjectiveOf, LayersHaveGradientsThatSumToTheGlobalOne) {
  // With equal values, moving all layers together is moving the global value.
  ProximalObjective objective(step_, *discrepancy_, options_);
  const TensorList global = objective.gradient(phi_).gradient;
  const TensorList per_layer = objective.gradient(layered_).gradient;
  for (size_t h = 0; h < global.size(); ++h) {
    ASSERT_EQ(per_layer[h].numel(), 2);
    const double expected = global[h].item<double>();
    EXPECT_NEAR(per_layer[h].sum().item<double>(), expected, 1e-12 * std::abs(expected) + 1e-15);
  }
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto& [rule, discrepancy, loss_term, momentum] = info.param;
  const std::string through = momentum == Momentum::apply ? "_through_momentum" : "";
  return rule + "_" + discrepancy + "_" + loss_term + through;
}

INSTANTIATE_TEST_SUITE_P(All,
                         ProximalObjectiveOf,
                         testing::Combine(testing::ValuesIn(test::names(update_rules())),
                                          testing::ValuesIn(test::names(discrepancies())),
                                          testing::Values("loss", "linear"),
                                          testing::Values(Momentum::ignore, Momentum::apply)),
                         case_name);

}  // namespace
}  // namespace apo
