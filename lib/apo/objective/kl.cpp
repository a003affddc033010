#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>

#include "apo/objective/discrepancy.h"

namespace apo {
namespace {

/// The Kullback-Leibler divergence of the predictions p(y|z) = softmax(z).
///     D(z′, z) = Σ_y p(y|z′) ln (p(y|z′) / p(y|z))
/// Source: APO paper, Eq. 9.
class Kl : public Discrepancy {
 public:
  bool needs_classes() const override { return true; }

  Tensor operator()(const Tensor& z_next, const Tensor& z, const OutputLoss& loss) const override {
    const Tensor log_next = z_next.log_softmax(-1);
    return loss.mean((log_next.exp() * (log_next - z.log_softmax(-1))).sum(-1));
  }
};

}  // namespace

std::unique_ptr<Discrepancy> make_kl(const NoOptions&) {
  return std::make_unique<Kl>();
}

}  // namespace apo
