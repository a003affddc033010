#include "apo/update/elementwise.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace apo {
namespace {

/// Whether these numbers of a step are the values of a hyperparameter as they are.
bool are(const TensorList& numbers, const TensorList& values) {
  const auto same = [](const Tensor& a, const Tensor& b) { return a.is_same(b); };
  return std::equal(numbers.begin(), numbers.end(), values.begin(), values.end(), same);
}

/// v with its elements in the order of θ's.
TensorList in_order_of(const TensorList& theta, TensorList v) {
  for (size_t i = 0; i < v.size(); ++i) {
    if (v[i].strides() != theta[i].strides()) v[i] = at::empty_like(theta[i].detach()).copy_(v[i]);
  }
  return v;
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

void ElementwiseRule::observe(const TensorList& g, Statistics& xi) const {
  const at::NoGradGuard no_grad;
  xi.updates.add_(1);
  accumulate(g, xi.slots);
}

ElementwiseStep ElementwiseRule::whole_step(const StepInputs& from,
                                            const HyperparameterValues& phi) const {
  ElementwiseStep step = formula(from, phi);
  step.decay = decay_in(WeightDecay::decoupled);
  step.shrinkage = decay_in(WeightDecay::independent);
  step.schedule = from.schedule;
  return step;
}

TensorList ElementwiseRule::propose(const StepInputs& from, const HyperparameterValues& phi) const {
  const ElementwiseStep step = whole_step(from, phi);
  const StepBackend* backend = backend_for(step, from.theta);
  return backend ? backend->taken(step, from.theta) : evaluate(step, from.theta);
}

Proposal ElementwiseRule::differentiable(const StepInputs& from, const Hyperparameters& phi) const {
  const HyperparameterValues& values = phi.values();
  ElementwiseStep step = whole_step(from, values);
  const StepBackend* backend = backend_for(step, from.theta);
  const auto has_slope = [&](size_t h) {
    return are(step.rate, values[h]) || are(step.epsilon, values[h]);
  };
  if (!backend || !std::all_of(phi.tuned().begin(), phi.tuned().end(), has_slope)) {
    return UpdateRule::differentiable(from, phi);
  }
  TensorList next = backend->taken(step, from.theta);
  return {std::move(next),
          [&phi, backend, theta = from.theta, step = std::move(step)](const TensorList& v) {
            const Slopes slopes = backend->slopes(step, theta, in_order_of(theta, v));
            TensorList gradient;
            for (const size_t h : phi.tuned()) {
              const bool is_rate = are(step.rate, phi.values()[h]);
              gradient.push_back(phi.sum_by_group(is_rate ? slopes.rate : slopes.epsilon));
            }
            return gradient;
          }};
}

/// −(r + w θ): −r is where a step of rate 1 goes from 0.
TensorList ElementwiseRule::rate_derivative(const StepInputs& from,
                                            const Hyperparameters& phi) const {
  const at::NoGradGuard no_grad;
  const TensorList& rate = phi.values()[phi.index("learning_rate")];
  ElementwiseStep step = whole_step(from, phi.values());
  const StepBackend* backend = backend_for(step, from.theta);
  if (!backend || !are(step.rate, rate)) return UpdateRule::rate_derivative(from, phi);
  const double w = std::exchange(step.decay, 0);
  step.rate.assign(rate.size(), at::ones_like(rate.front()));
  TensorList derivative = backend->taken(step, zeros_like(from.theta));
  if (w != 0) at::_foreach_add_(derivative, from.theta, -w);
  return derivative;
}

void ElementwiseRule::step(TensorList& theta,
                           const TensorList& g,
                           const Statistics& xi,
                           const HyperparameterValues& phi,
                           const Tensor& schedule) const {
  const at::NoGradGuard no_grad;
  const ElementwiseStep step = whole_step({theta, g, xi, Momentum::apply, schedule}, phi);
  const StepBackend* backend = backend_for(step, theta);
  if (backend) return backend->take_in_place(step, theta);
  const TensorList next = evaluate(step, theta);
  for (size_t i = 0; i < theta.size(); ++i) theta[i].copy_(next[i]);
}

}  // namespace apo
