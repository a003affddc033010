#include "apo/loss/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>

#include <cmath>

namespace apo {

Tensor Loss::sampled_targets(const Tensor& z, at::Generator& generator) const {
  const Tensor noise = at::randn(z.sizes(), generator, at::kDouble) * std::sqrt(0.5);
  return z.detach() + noise.to(z.options());
}

Tensor weighted_mean(const Tensor& values, const Tensor& weights) {
  if (!weights.defined()) return values.mean();
  Tensor w = weights;
  while (w.dim() < values.dim()) w = w.unsqueeze(-1);
  w = w.expand_as(values);
  return (values * w).sum() / w.sum();
}

}  // namespace apo
