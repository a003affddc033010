#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/softmax.h>

#include "apo/loss/loss.h"

namespace apo {
namespace {

/// ℓ = −ln p(y|z), p(y|z) = softmax(z).
class CrossEntropy : public Loss {
 public:
  Tensor value(const Tensor& z, const Batch& x) const override {
    const Tensor rows = z.flatten(0, -2);
    const Tensor y = x.targets.flatten();
    if (!x.weights.defined()) return at::cross_entropy_loss(rows, y);
    const Tensor each = at::cross_entropy_loss(rows, y, {}, at::Reduction::None);
    return weighted_mean(each.view_as(x.targets), x.weights);
  }

  bool has_classes() const override { return true; }

  Tensor correct(const Tensor& z, const Batch& x) const override {
    return z.detach().argmax(-1).eq(x.targets).sum();
  }

  /// On the CPU and in float64, so that every device draws the same.
  Tensor sampled_targets(const Tensor& z, at::Generator& generator) const override {
    const Tensor p = z.detach().flatten(0, -2).to(at::kCPU, at::kDouble).softmax(1).nan_to_num(1);
    const Tensor y = p.multinomial(1, false, generator).squeeze(1).to(z.device());
    return y.view(z.sizes().slice(0, z.dim() - 1));
  }
};

}  // namespace

std::unique_ptr<Loss> make_cross_entropy() {
  return std::make_unique<CrossEntropy>();
}

}  // namespace apo
