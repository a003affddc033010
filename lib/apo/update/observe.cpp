#include "apo/update/observe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>

#include <utility>

namespace apo {

TensorList clipped(TensorList g, double bound) {
  if (bound == 0) return g;
  const at::NoGradGuard no_grad;
  const Tensor norm = at::stack(at::_foreach_norm(g)).norm();
  return at::_foreach_mul(g, (bound / norm).clamp_max(1));
}

TensorList observe(
    const UpdateRule& rule, Problem& problem, const Batch& x, const Tensor& loss, Statistics& xi) {
  const TensorList& theta = problem.network->parameters();
  TensorList g = clipped(whole_gradient(problem, loss), rule.clip_norm());
  g = with_coupled_decay(theta, std::move(g), rule.coupled_decay());
  rule.observe_curvature(problem, x, xi);
  rule.observe(g, xi);
  return g;
}

}  // namespace apo
