#include "apo/update/elementwise.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

namespace apo {
namespace {

/// column[k] = lists[k][i].
TensorList column(const std::vector<TensorList>& lists, size_t i) {
  TensorList tensors;
  tensors.reserve(lists.size());
  for (const TensorList& list : lists) tensors.push_back(list[i]);
  return tensors;
}

/// Known to the host, and nothing is to be differentiated in it.
bool is_plain_number(const Tensor& value) {
  return value.is_cpu() && value.numel() == 1 && !value.requires_grad() &&
         !value._fw_grad(0).defined();
}

/// θ′ in storage of its own.
Tensor taken(const fused::Step& step, const Tensor& theta) {
  Tensor next = at::empty_like(theta.detach());
  fused::take(step, theta, next);
  return next;
}

/// v with its elements in the order of θ's.
Tensor in_order_of(const Tensor& theta, const Tensor& v) {
  if (v.strides() == theta.strides()) return v;
  return at::empty_like(theta.detach()).copy_(v);
}

}  // namespace

double ElementwiseRule::bias_correction(double decay, int64_t t) {
  return 1 - std::pow(decay, static_cast<double>(t));
}

Statistics ElementwiseRule::initial_statistics(const TensorList& theta) const {
  Statistics xi;
  for (size_t s = 0; s < slots_; ++s) xi.slots.push_back(zeros_like(theta));
  return xi;
}

TensorList ElementwiseRule::decayed(const TensorList& theta, TensorList g) const {
  return with_coupled_decay(theta, std::move(g), setting_.weight_decay);
}

void ElementwiseRule::observe(const TensorList& g, Statistics& xi) const {
  const at::NoGradGuard no_grad;
  ++xi.updates;
  if (slots_ == 0) return;
  for (size_t i = 0; i < g.size(); ++i) accumulate(g[i], column(xi.slots, i));
}

std::optional<fused::Step> ElementwiseRule::fused_step_of(size_t i,
                                                          const TensorList& theta,
                                                          const TensorList& g,
                                                          const Statistics& xi,
                                                          const HyperparameterValues& phi,
                                                          Momentum momentum) const {
  if (at::GradMode::is_enabled() && theta[i].requires_grad()) return std::nullopt;
  const TensorList slots = column(xi.slots, i), values = column(phi, i);
  if (!std::all_of(values.begin(), values.end(), is_plain_number)) return std::nullopt;
  std::optional<fused::Step> step = fused_step(g[i], slots, values, xi.updates, momentum);
  if (!step) return std::nullopt;
  TensorList arrays = {theta[i], step->direction};
  if (step->other.defined()) arrays.push_back(step->other);
  return fused::accepts(arrays) ? step : std::nullopt;
}

TensorList ElementwiseRule::propose(const TensorList& theta,
                                    const TensorList& g,
                                    const Statistics& xi,
                                    const HyperparameterValues& phi,
                                    Momentum momentum) const {
  TensorList proposed;
  proposed.reserve(theta.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    if (const auto step = fused_step_of(i, theta, g, xi, phi, momentum)) {
      proposed.push_back(taken(*step, theta[i]));
    } else {
      proposed.push_back(
          formula(theta[i], g[i], column(xi.slots, i), column(phi, i), xi.updates, momentum));
    }
  }
  return proposed;
}

Proposal ElementwiseRule::differentiable(const TensorList& theta,
                                         const TensorList& g,
                                         const Statistics& xi,
                                         const Hyperparameters& phi,
                                         Momentum momentum) const {
  std::vector<fused::Step> steps;
  for (size_t i = 0; i < theta.size(); ++i) {
    const auto step = fused_step_of(i, theta, g, xi, phi.values(), momentum);
    if (step) steps.push_back(*step);
  }
  const auto has_slope = [&](size_t h) { return h == 0 || phi.specs()[h].name == "epsilon"; };
  if (steps.size() < theta.size() ||
      !std::all_of(phi.tuned().begin(), phi.tuned().end(), has_slope)) {
    return UpdateRule::differentiable(theta, g, xi, phi, momentum);
  }
  Proposal proposal;
  for (size_t i = 0; i < theta.size(); ++i) proposal.theta.push_back(taken(steps[i], theta[i]));
  proposal.pull_back = [&phi, theta, steps](const TensorList& v) {
    TensorList gradient;
    for (const size_t h : phi.tuned()) gradient.push_back(at::zeros_like(phi.value(h)));
    for (size_t i = 0; i < steps.size(); ++i) {
      const fused::Slopes slopes = fused::slopes(steps[i], theta[i], in_order_of(theta[i], v[i]));
      for (size_t k = 0; k < gradient.size(); ++k) {
        gradient[k][phi.group_of(i)] += phi.tuned()[k] == 0 ? slopes.rate : slopes.epsilon;
      }
    }
    return gradient;
  };
  return proposal;
}

void ElementwiseRule::step(TensorList& theta,
                           const TensorList& g,
                           const Statistics& xi,
                           const HyperparameterValues& phi) const {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < theta.size(); ++i) {
    if (const auto step = fused_step_of(i, theta, g, xi, phi, Momentum::apply)) {
      fused::take(*step, theta[i], theta[i]);
    } else {
      const TensorList slots = column(xi.slots, i), values = column(phi, i);
      theta[i].set_data(formula(theta[i], g[i], slots, values, xi.updates, Momentum::apply));
    }
  }
}

}  // namespace apo
