#include "apo/objective/proximal.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>

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
  return step_.rule.propose({theta_, step_.g, step_.xi, options_.momentum}, phi);
}

Tensor ProximalObjective::loss_term(const Tensor& z_next) const {
  if (options_.loss_term == LossTerm::linear) return (slope_ * (z_next - z_)).sum();
  return step_.problem.loss(z_next, step_.x);
}

/// λ D + λ_w ½‖θ′ − θ‖², with D told to `terms`.
Tensor ProximalObjective::proximal_term(const Tensor& z_tilde_next, ProximalTerms& terms) const {
  const auto loss = [&](const Tensor& z) { return step_.problem.loss(z, step_.x_tilde); };
  terms.discrepancy = discrepancy_(z_tilde_next, z_tilde_, loss);
  Tensor proximal = options_.lambda * terms.discrepancy;
  if (options_.weight_lambda == 0) return proximal;
  const TensorList& theta_next = step_.problem.parameters();
  for (size_t i = 0; i < theta_.size(); ++i) {
    const Tensor moved = (theta_next[i] - theta_[i]).square().sum();
    proximal = proximal + options_.weight_lambda / 2 * moved;
  }
  return proximal;
}

ProximalTerms ProximalObjective::terms(const Tensor& z_next, const Tensor& z_tilde_next) const {
  ProximalTerms terms;
  terms.loss_term = loss_term(z_next);
  terms.objective = terms.loss_term + proximal_term(z_tilde_next, terms);
  return terms;
}

double ProximalObjective::value(const HyperparameterValues& phi) {
  const at::NoGradGuard no_grad;
  Problem& problem = step_.problem;
  const SwapGuard at_next(problem.parameters(), propose(phi));
  const SwapGuard buffers(problem.buffers(), clone(problem.buffers()));
  const auto [z, z_tilde] = problem.outputs_of_both(step_.x, step_.x_tilde);
  return to_double(terms(z, z_tilde).objective);
}

/// v = ∇_θ′ J, with J's terms. With batch statistics, for which batches pass apart anyway, one
/// after the other is differentiated, so that only the activations of one are held.
TensorList ProximalObjective::differentiate(ProximalTerms& of) {
  Problem& problem = step_.problem;
  const SwapGuard buffers(problem.buffers(), clone(problem.buffers()));
  if (problem.buffers().empty()) {
    const auto [z, z_tilde] = problem.outputs_of_both(step_.x, step_.x_tilde);
    of = terms(z, z_tilde);
    return apo::gradient(of.objective, problem.parameters());
  }
  of.loss_term = loss_term(problem.outputs(step_.x));
  TensorList v = apo::gradient(of.loss_term, problem.parameters());
  const Tensor proximal = proximal_term(problem.outputs(step_.x_tilde), of);
  of.objective = of.loss_term + proximal;
  at::_foreach_add_(v, apo::gradient(proximal, problem.parameters()));
  return v;
}

MetaGradient ProximalObjective::gradient(const Hyperparameters& phi) {
  const Proposal next =
      step_.rule.differentiable({theta_, step_.g, step_.xi, options_.momentum}, phi);

  MetaGradient meta;
  TensorList v;
  {
    const SwapGuard at_next(step_.problem.parameters(), next.theta);
    v = differentiate(meta.terms);
  }
  meta.gradient = next.pull_back(v);
  for (size_t k = 0; k < meta.gradient.size(); ++k) {
    meta.gradient[k] *= phi.derivative(phi.tuned()[k]);
  }
  return meta;
}

}  // namespace apo
