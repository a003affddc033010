#include "apo/update/elementwise.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/scalar_tensor.h>

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

/// A scalar in which nothing is to be differentiated.
bool is_plain_number(const Tensor& value) {
  return value.numel() == 1 && !value.requires_grad() && !value._fw_grad(0).defined();
}

bool is_differentiated(const TensorList& theta) {
  return at::GradMode::is_enabled() &&
         std::any_of(theta.begin(), theta.end(), [](const Tensor& tensor) {
           return tensor.requires_grad();
         });
}

}  // namespace

Tensor ElementwiseRule::bias_correction(double decay, const Tensor& t) {
  if (!t.is_cpu()) return 1 - at::pow(decay, t);
  return at::scalar_tensor(1 - std::pow(decay, to_double(t)), at::kDouble);
}

Statistics ElementwiseRule::initial_statistics(const TensorList& theta) const {
  Statistics xi(theta);
  for (size_t s = 0; s < slots_; ++s) xi.slots.push_back(zeros_like(theta));
  return xi;
}

TensorList ElementwiseRule::decayed(const TensorList& theta, TensorList g) const {
  return with_coupled_decay(theta, std::move(g), setting_.weight_decay);
}

void ElementwiseRule::observe(const TensorList& g, Statistics& xi) const {
  const at::NoGradGuard no_grad;
  xi.updates.add_(1);
  if (slots_ > 0) accumulate(g, xi.slots);
}

std::optional<ElementwiseSteps> ElementwiseRule::steps(const TensorList& theta,
                                                       const TensorList& g,
                                                       const Statistics& xi,
                                                       const HyperparameterValues& phi,
                                                       Momentum momentum) const {
  if (is_differentiated(theta)) return std::nullopt;
  ElementwiseSteps steps;
  steps.reserve(theta.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    const TensorList slots = column(xi.slots, i), values = column(phi, i);
    if (!std::all_of(values.begin(), values.end(), is_plain_number)) return std::nullopt;
    auto step = as_data(g[i], slots, values, xi.updates, momentum);
    if (!step) return std::nullopt;
    steps.push_back(std::move(*step));
  }
  return can_take(steps, theta) ? std::optional(std::move(steps)) : std::nullopt;
}

Tensor ElementwiseRule::formula_of(size_t i,
                                   const TensorList& theta,
                                   const TensorList& g,
                                   const Statistics& xi,
                                   const HyperparameterValues& phi,
                                   Momentum momentum) const {
  return formula(theta[i], g[i], column(xi.slots, i), column(phi, i), xi.updates, momentum);
}

TensorList ElementwiseRule::propose(const TensorList& theta,
                                    const TensorList& g,
                                    const Statistics& xi,
                                    const HyperparameterValues& phi,
                                    Momentum momentum) const {
  if (const auto data = steps(theta, g, xi, phi, momentum)) return taken(*data, theta);
  TensorList proposed;
  for (size_t i = 0; i < theta.size(); ++i) {
    proposed.push_back(formula_of(i, theta, g, xi, phi, momentum));
  }
  return proposed;
}

Proposal ElementwiseRule::differentiable(const TensorList& theta,
                                         const TensorList& g,
                                         const Statistics& xi,
                                         const Hyperparameters& phi,
                                         Momentum momentum) const {
  const auto has_slope = [&](size_t h) { return h == 0 || phi.specs()[h].name == "epsilon"; };
  const bool have_slopes = std::all_of(phi.tuned().begin(), phi.tuned().end(), has_slope);
  const auto data = steps(theta, g, xi, phi.values(), momentum);
  if (!data || !have_slopes) return UpdateRule::differentiable(theta, g, xi, phi, momentum);
  return {
      taken(*data, theta), [&phi, theta, data](const TensorList& v) {
        const Slopes of_parameters = slopes(*data, theta, v);
        TensorList gradient;
        for (const size_t h : phi.tuned()) {
          gradient.push_back(phi.sum_by_group(h == 0 ? of_parameters.rate : of_parameters.epsilon));
        }
        return gradient;
      }};
}

void ElementwiseRule::step(TensorList& theta,
                           const TensorList& g,
                           const Statistics& xi,
                           const HyperparameterValues& phi) const {
  const at::NoGradGuard no_grad;
  if (const auto data = steps(theta, g, xi, phi, Momentum::apply)) {
    return take_in_place(*data, theta);
  }
  for (size_t i = 0; i < theta.size(); ++i) {
    theta[i].copy_(formula_of(i, theta, g, xi, phi, Momentum::apply));
  }
}

}  // namespace apo
