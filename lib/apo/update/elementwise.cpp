#include "apo/update/elementwise.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsub.h>
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
  if (!t.is_cpu()) return at::rsub(at::pow(decay, t), 1);
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

std::optional<ElementwiseSteps> ElementwiseRule::steps(const StepInputs& from,
                                                       const HyperparameterValues& phi) const {
  if (is_differentiated(from.theta)) return std::nullopt;
  const Corrections corrected = corrections(from.xi.updates);
  ElementwiseSteps steps;
  steps.reserve(from.theta.size());
  for (size_t i = 0; i < from.theta.size(); ++i) {
    const TensorList slots = column(from.xi.slots, i);
    const TensorList values = column(phi, i);
    if (!std::all_of(values.begin(), values.end(), is_plain_number)) return std::nullopt;
    auto step = as_data(from.g[i], slots, values, corrected, from.momentum);
    if (!step) return std::nullopt;
    steps.push_back(std::move(*step));
  }
  return can_take(steps, from.theta) ? std::optional(std::move(steps)) : std::nullopt;
}

TensorList ElementwiseRule::by_formula(const StepInputs& from,
                                       const HyperparameterValues& phi) const {
  const auto& [theta, g, xi, momentum] = from;
  const Corrections corrected = corrections(xi.updates);
  TensorList next;
  for (size_t i = 0; i < theta.size(); ++i) {
    next.push_back(
        formula(theta[i], g[i], column(xi.slots, i), column(phi, i), corrected, momentum));
  }
  return next;
}

TensorList ElementwiseRule::propose(const StepInputs& from, const HyperparameterValues& phi) const {
  const auto data = steps(from, phi);
  return data ? taken(*data, from.theta) : by_formula(from, phi);
}

Proposal ElementwiseRule::differentiable(const StepInputs& from, const Hyperparameters& phi) const {
  const auto has_slope = [&](size_t h) { return h == 0 || phi.specs()[h].name == "epsilon"; };
  const bool have_slopes = std::all_of(phi.tuned().begin(), phi.tuned().end(), has_slope);
  const auto data = steps(from, phi.values());
  if (!data || !have_slopes) return UpdateRule::differentiable(from, phi);
  return {
      taken(*data, from.theta), [&phi, theta = from.theta, data](const TensorList& v) {
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
  const StepInputs from{theta, g, xi};
  if (const auto data = steps(from, phi)) return take_in_place(*data, theta);
  const TensorList next = by_formula(from, phi);
  for (size_t i = 0; i < theta.size(); ++i) theta[i].copy_(next[i]);
}

}  // namespace apo
