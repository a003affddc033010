#include "apo/update/steps.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace apo {
namespace {

bool is_differentiated(const Tensor& tensor) {
  return tensor.requires_grad() || tensor._fw_grad(0).defined();
}

/// A scalar in which nothing is differentiated.
bool is_number(const Tensor& value) {
  return value.numel() == 1 && !is_differentiated(value);
}

/// Whether ρ is known on the host to be ½.
bool is_square_root(const Tensor& power) {
  return power.is_cpu() && is_number(power) && power.item<double>() == 0.5;
}

/// s^ρ; a square root costs a tenth.
Tensor raised(const Tensor& s, const TensorList& power, size_t i) {
  return power.empty() || is_square_root(power[i]) ? s.sqrt() : s.pow(power[i]);
}

/// tensor / correction, where none means 1.
Tensor corrected(const Tensor& tensor, const Tensor& correction) {
  return correction.defined() ? tensor / correction : tensor;
}

/// s θ
Tensor scheduled(const ElementwiseStep& step, const Tensor& theta) {
  return step.schedule.defined() ? theta * step.schedule : theta;
}

/// r of parameter i.
Tensor ratio(const ElementwiseStep& step, size_t i) {
  Tensor r = corrected(step.direction[i], step.direction_correction);
  if (!step.velocity.empty()) r = r.add(step.velocity[i], step.momentum);
  if (step.square.empty()) return r;
  const Tensor s = corrected(step.square[i], step.square_correction);
  return r / (raised(s, step.power, i) + step.epsilon[i]);
}

/// Whether all tensors are such. One that stands there several times in a row is looked at once.
template <class Predicate>
bool are_all(const TensorList& list, Predicate is_such) {
  for (size_t i = 0; i < list.size(); ++i) {
    if ((i == 0 || !list[i].is_same(list[i - 1])) && !is_such(list[i])) return false;
  }
  return true;
}

/// Whether η, ρ and ε are scalars, ρ = ½, and nothing is differentiated.
bool is_plain(const ElementwiseStep& step, const TensorList& theta) {
  const bool builds_graphs = at::GradMode::is_enabled();
  const auto is_constant = [](const Tensor& d) { return !is_differentiated(d); };
  const auto has_no_graph = [&](const Tensor& tensor) {
    return !builds_graphs || !tensor.requires_grad();
  };
  return are_all(step.rate, is_number) && are_all(step.epsilon, is_number) &&
         are_all(step.power, is_square_root) && are_all(step.direction, is_constant) &&
         are_all(theta, has_no_graph);
}

}  // namespace

TensorList evaluate(const ElementwiseStep& step, const TensorList& theta) {
  TensorList next;
  next.reserve(theta.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    const Tensor r = ratio(step, i);
    Tensor move = step.rate[i] * (step.decay == 0 ? r : r.add(theta[i], step.decay));
    if (step.shrinkage != 0) move = move.add(scheduled(step, theta[i]), step.shrinkage);
    next.push_back(theta[i] - move);
  }
  return next;
}

const StepBackend& backend_on(const TensorList& theta) {
  return theta.front().is_cpu() ? sweep_backend() : foreach_backend();
}

const StepBackend* backend_for(const ElementwiseStep& step, const TensorList& theta) {
  if (!is_plain(step, theta)) return nullptr;
  const StepBackend& backend = backend_on(theta);
  return backend.accepts(step, theta) ? &backend : nullptr;
}

}  // namespace apo
