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
      theta_(detached(step.problem.network->parameters())) {
  const at::NoGradGuard no_grad;
  Network& network = *step_.problem.network;
  const SwapGuard buffers = kept_buffers(network);
  z_tilde_ = network.forward(step_.x_tilde.inputs);
  if (options_.loss_term == LossTerm::loss) return;
  z_ = network.forward(step_.x.inputs);
  slope_ = output_gradient({*step_.problem.loss, step_.x}, z_);
}

TensorList ProximalObjective::propose(const HyperparameterValues& phi) const {
  return step_.rule.propose({theta_, step_.g, step_.xi, options_.momentum}, phi);
}

Tensor ProximalObjective::loss_term(const Tensor& z_next) const {
  if (options_.loss_term == LossTerm::linear) return (slope_ * (z_next - z_)).sum();
  return step_.problem.loss->value(z_next, step_.x);
}

/// λ D + λ_w ½‖θ′ − θ‖², with D told to `terms`.
Tensor ProximalObjective::proximal_term(const Tensor& z_tilde_next, ProximalTerms& terms) const {
  terms.discrepancy = discrepancy_(z_tilde_next, z_tilde_, {*step_.problem.loss, step_.x_tilde});
  Tensor proximal = options_.lambda * terms.discrepancy;
  if (options_.weight_lambda == 0) return proximal;
  const TensorList& theta_next = step_.problem.network->parameters();
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
  Network& network = *step_.problem.network;
  const SwapGuard at_next(network.parameters(), propose(phi));
  const SwapGuard buffers = kept_buffers(network);
  const auto [z, z_tilde] = network.forward_both(step_.x.inputs, step_.x_tilde.inputs);
  return to_double(mean(*step_.problem.group, terms(z, z_tilde).objective));
}

/// v = ∇_θ′ J, with J's terms. With batch statistics, for which batches pass apart anyway, one
/// after the other is differentiated, so that only the activations of one are held.
TensorList ProximalObjective::differentiate(ProximalTerms& of) {
  Network& network = *step_.problem.network;
  const SwapGuard buffers = kept_buffers(network);
  if (network.buffers().empty()) {
    const auto [z, z_tilde] = network.forward_both(step_.x.inputs, step_.x_tilde.inputs);
    of = terms(z, z_tilde);
    return apo::gradient(of.objective, network.parameters());
  }
  of.loss_term = loss_term(network.forward(step_.x.inputs));
  TensorList v = apo::gradient(of.loss_term, network.parameters());
  const Tensor proximal = proximal_term(network.forward(step_.x_tilde.inputs), of);
  of.objective = of.loss_term + proximal;
  at::_foreach_add_(v, apo::gradient(proximal, network.parameters()));
  return v;
}

void ProximalObjective::average_over_ranks(MetaGradient& meta) const {
  std::vector<Tensor*> all = {
      &meta.terms.objective, &meta.terms.loss_term, &meta.terms.discrepancy};
  for (Tensor& of_number : meta.gradient) all.push_back(&of_number);
  average(*step_.problem.group, all);
}

MetaGradient ProximalObjective::gradient(const Hyperparameters& phi) {
  const Proposal next =
      step_.rule.differentiable({theta_, step_.g, step_.xi, options_.momentum}, phi);

  MetaGradient meta;
  TensorList v;
  {
    const SwapGuard at_next(step_.problem.network->parameters(), next.theta);
    v = differentiate(meta.terms);
  }
  // Linear in v: of many ranks' v the mean of these few numbers is that of the whole batch's.
  meta.gradient = next.pull_back(v);
  average_over_ranks(meta);
  for (size_t k = 0; k < meta.gradient.size(); ++k) {
    meta.gradient[k] *= phi.derivative(phi.tuned()[k]);
  }
  return meta;
}

}  // namespace apo
