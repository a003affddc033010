#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/objective/discrepancy.h"

namespace apo {

Tensor output_gradient(const OutputLoss& loss, const Tensor& z) {
  const at::AutoGradMode with_gradients(true);
  const Tensor leaf = z.detach().requires_grad_();
  return torch::autograd::grad({loss(leaf)}, {leaf})[0];
}

}  // namespace apo
