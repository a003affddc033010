#include "apo/problem/hessian.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/base/guards.h"
#include "apo/base/stepwise.h"

namespace apo {

TensorList hessian_vector_product(Problem& problem, const Batch& x, const TensorList& v) {
  const Stepwise layers;
  const at::AutoGradMode with_gradients(true);
  const SwapGuard buffers = kept_buffers(*problem.network);
  const TensorList& theta = problem.network->parameters();
  const Tensor loss = loss_on(problem, x);
  const TensorList g = torch::autograd::grad({loss}, theta, {}, true, true, /*allow_unused=*/true);
  TensorList curved;
  TensorList along;
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i].defined() || !g[i].requires_grad()) continue;
    curved.push_back(g[i]);
    along.push_back(v[i]);
  }
  TensorList product(theta.size());
  if (!curved.empty()) product = torch::autograd::grad(curved, theta, along, {}, false, true);
  for (size_t i = 0; i < product.size(); ++i) {
    if (!product[i].defined()) product[i] = at::zeros_like(theta[i].detach());
  }
  for (Tensor& of_parameter : product) of_parameter = mean(*problem.group, of_parameter);
  return product;
}

}  // namespace apo
