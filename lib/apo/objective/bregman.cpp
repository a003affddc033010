#include <ATen/TensorOperators.h>

#include "apo/objective/discrepancy.h"

namespace apo {
namespace {

/// The Bregman divergence of the training loss.
///     D(z′, z) = ℓ(z′) − ℓ(z) − ⟨∇ℓ(z), z′ − z⟩
/// Source: APO paper, Eq. 8.
class Bregman : public Discrepancy {
 public:
  Tensor operator()(const Tensor& z_next, const Tensor& z, const OutputLoss& loss) const override {
    return loss(z_next) - loss(z) - (output_gradient(loss, z) * (z_next - z)).sum();
  }
};

}  // namespace

std::unique_ptr<Discrepancy> make_bregman(const NoOptions&) {
  return std::make_unique<Bregman>();
}

}  // namespace apo
