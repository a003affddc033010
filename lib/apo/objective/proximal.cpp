#include "apo/objective/proximal.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "apo/base/guards.h"

namespace apo {

ProximalObjective::ProximalObjective(const PendingStep& step,
                                     const Discrepancy& discrepancy,
                                     const ProximalOptions& options)
    : step_(step),
      discrepancy_(discrepancy),
      options_(options),
      theta_(detached(step.problem.parameters())) {
  const at::NoGradGuard no_grad;
  const SwapGuard buffers(step_.problem.buffers(), clone(step_.problem.buffers()));
  z_tilde_ = step_.problem.outputs(step_.x_tilde);
  if (options_.loss_term == LossTerm::loss) return;
  z_ = step_.problem.outputs(step_.x);
  slope_ = output_gradient([&](const Tensor& z) { return step_.problem.loss(z, step_.x); }, z_);
}

TensorList ProximalObjective::propose(const HyperparameterValues& phi) const {
  return step_.rule.propose(theta_, step_.g, step_.xi, phi, options_.momentum);
}

Tensor ProximalObjective::loss_term(const Tensor& z_next) const {
  if (options_.loss_term == LossTerm::linear) return (slope_ * (z_next - z_)).sum();
  return step_.problem.loss(z_next, step_.x);
}

ProximalTerms ProximalObjective::terms_at_current_parameters() {
  Problem& problem = step_.problem;
  const SwapGuard buffers(problem.buffers(), clone(problem.buffers()));
  ProximalTerms terms;
  const auto loss = [&](const Tensor& z) { return problem.loss(z, step_.x_tilde); };
  const auto [z, z_tilde] = problem.outputs_of_both(step_.x, step_.x_tilde);
  terms.loss_term = loss_term(z);
  terms.discrepancy = discrepancy_(z_tilde, z_tilde_, loss);
  terms.objective = terms.loss_term + options_.lambda * terms.discrepancy;
  if (options_.weight_lambda > 0) {
    const TensorList& theta_next = problem.parameters();
    for (size_t i = 0; i < theta_.size(); ++i) {
      const Tensor moved = (theta_next[i] - theta_[i]).square().sum();
      terms.objective = terms.objective + options_.weight_lambda / 2 * moved;
    }
  }
  return terms;
}

double ProximalObjective::value(const HyperparameterValues& phi) {
  const at::NoGradGuard no_grad;
  const SwapGuard at_next(step_.problem.parameters(), propose(phi));
  return to_double(terms_at_current_parameters().objective);
}

MetaGradient ProximalObjective::gradient(const Hyperparameters& phi) {
  const Proposal next =
      step_.rule.differentiable(theta_, step_.g, step_.xi, phi, options_.momentum);

  MetaGradient meta;
  TensorList v;
  {
    const SwapGuard at_next(step_.problem.parameters(), next.theta);
    meta.terms = terms_at_current_parameters();
    v = apo::gradient(meta.terms.objective, step_.problem.parameters());
  }
  meta.gradient = next.pull_back(v);
  for (size_t k = 0; k < meta.gradient.size(); ++k) {
    meta.gradient[k] *= phi.derivative(phi.tuned()[k]);
  }
  return meta;
}

}  // namespace apo
