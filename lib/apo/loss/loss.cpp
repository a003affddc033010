#include "apo/loss/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>

#include <cmath>

namespace apo {

Tensor Loss::sampled_targets(const Tensor& z, at::Generator& generator) const {
  const Tensor noise = at::randn(z.sizes(), generator, at::kDouble) * std::sqrt(0.5);
  return z.detach() + noise.to(z.options());
}

Tensor by_share(const Tensor& mean, const Batch& x) {
  return x.share.defined() ? mean * x.share : mean;
}

Tensor weighted_mean(const Tensor& values, const Batch& x) {
  if (!x.weights.defined()) return by_share(values.mean(), x);
  Tensor w = x.weights;
  while (w.dim() < values.dim()) w = w.unsqueeze(-1);
  w = w.expand_as(values);
  return by_share((values * w).sum() / w.sum(), x);
}

}  // namespace apo
