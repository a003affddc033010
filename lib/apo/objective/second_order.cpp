#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/objective/discrepancy.h"

namespace apo {
namespace {

/// The squared length of the move in the metric of the loss, the second-order expansion of twice
/// the Bregman divergence.
///     D(z′, z) = (z′ − z)ᵀ ∇²ℓ(z) (z′ − z)
/// Source: APO paper, Eq. 16.  The Hessian is applied by a double backward through the loss alone,
/// not the network.
class SecondOrder : public Discrepancy {
 public:
  Tensor operator()(const Tensor& z_next, const Tensor& z, const OutputLoss& loss) const override {
    const Tensor moved = z_next - z;
    const at::AutoGradMode with_gradients(true);
    const Tensor leaf = z.detach().requires_grad_();
    const Tensor gradient = torch::autograd::grad({loss(leaf)}, {leaf}, {}, true, true)[0];
    const Tensor along = (gradient * moved).sum();
    const Tensor hessian_times_moved = torch::autograd::grad({along}, {leaf}, {}, true, true)[0];
    return (moved * hessian_times_moved).sum();
  }
};

}  // namespace

std::unique_ptr<Discrepancy> make_second_order(const NoOptions&) {
  return std::make_unique<SecondOrder>();
}

}  // namespace apo
