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

/// ℓ = −(1 − ε) ln p(y|z) − ε / C Σ_c ln p(c|z), p(y|z) = softmax(z); plain: ε = 0.
/// ε: label smoothing, C: classes. Its curvature in z does not know ε, nor does the Fisher matrix.
/// Source: Szegedy et al. 2016.
class CrossEntropy : public Loss {
 public:
  explicit CrossEntropy(const CrossEntropyOptions& options) : options_(options) {}

  Tensor value(const Tensor& z, const Batch& x) const override {
    return smoothed(z, x, options_.label_smoothing);
  }

  Tensor plain_value(const Tensor& z, const Batch& x) const override { return smoothed(z, x, 0); }

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

 private:
  static Tensor smoothed(const Tensor& z, const Batch& x, double smoothing) {
    const auto mean_of = [&](at::Reduction::Reduction reduction) {
      constexpr int64_t kIgnoreNone = -100;
      return at::cross_entropy_loss(
          z.flatten(0, -2), x.targets.flatten(), {}, reduction, kIgnoreNone, smoothing);
    };
    if (!x.weights.defined()) return by_share(mean_of(at::Reduction::Mean), x);
    return weighted_mean(mean_of(at::Reduction::None).view_as(x.targets), x);
  }

  CrossEntropyOptions options_;
};

}  // namespace

void CrossEntropyOptions::visit(OptionVisitor& visitor) {
  visitor.real("label_smoothing",
               label_smoothing,
               Range::half_open(0, 1),
               "ε, the share of a target that all classes get alike, in training");
}

std::unique_ptr<Loss> make_cross_entropy(const CrossEntropyOptions& options) {
  return std::make_unique<CrossEntropy>(options);
}

}  // namespace apo
