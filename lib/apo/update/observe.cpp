#include "apo/update/observe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <cmath>
#include <utility>

namespace apo {
namespace {

/// Norms have a mean to be compared with once there are so many.
constexpr double kFirstNorms = 20;

}  // namespace

TensorList clipped(TensorList g, double bound) {
  if (bound == 0) return g;
  const at::NoGradGuard no_grad;
  const Tensor norm = at::stack(at::_foreach_norm(g)).norm();
  return at::_foreach_mul(g, (bound / norm).clamp_max(1));
}

TensorList without_outlier(TensorList g, double r, Statistics& xi) {
  if (r == 0) return g;
  if (!xi.updates.is_cpu()) return without_outlier_unseen(std::move(g), r, xi);
  const at::NoGradGuard no_grad;
  double square = 0;
  for (const Tensor& norm : at::_foreach_norm(g)) square += std::pow(norm.item<double>(), 2);
  const auto updates = xi.updates.item<double>();
  auto& mean = *xi.gradient_square.mutable_data_ptr<double>();
  const double bound = r * r * mean;
  const bool is_outlier = updates >= kFirstNorms && square > bound;
  mean += ((is_outlier ? bound : square) - mean) / (updates + 1);
  return is_outlier ? at::_foreach_mul(g, std::sqrt(bound / square)) : g;
}

TensorList without_outlier_unseen(TensorList g, double r, Statistics& xi) {
  const at::NoGradGuard no_grad;
  const Tensor square = at::stack(at::_foreach_norm(g)).to(at::kDouble).square().sum();
  const Tensor bound = r * r * xi.gradient_square;
  const Tensor is_outlier = xi.updates.ge(kFirstNorms).bitwise_and(square.gt(bound));
  const Tensor kept = at::where(is_outlier, bound, square);
  xi.gradient_square.add_((kept - xi.gradient_square) / (xi.updates + 1));
  const Tensor factor = at::where(is_outlier, (bound / square).sqrt(), 1.0);
  return at::_foreach_mul(g, factor.to(g.front().scalar_type()));
}

TensorList observe(
    const UpdateRule& rule, Problem& problem, const Batch& x, const Tensor& loss, Statistics& xi) {
  const TensorList& theta = problem.network->parameters();
  TensorList g = clipped(whole_gradient(problem, loss), rule.clip_norm());
  g = without_outlier(std::move(g), rule.clip_outliers(), xi);
  g = with_coupled_decay(theta, std::move(g), rule.coupled_decay());
  rule.observe_curvature(problem, x, xi);
  rule.observe(g, xi);
  return g;
}

}  // namespace apo
