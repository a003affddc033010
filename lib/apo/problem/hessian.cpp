#include "apo/problem/hessian.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/base/guards.h"

namespace apo {

TensorList hessian_vector_product(Problem& problem, const Batch& x, const TensorList& v) {
  const at::AutoGradMode with_gradients(true);
  const SwapGuard buffers = kept_buffers(*problem.network);
  const TensorList& theta = problem.network->parameters();
  const Tensor loss = loss_on(problem, x);
  const TensorList g =
      torch::autograd::grad({loss}, theta, {}, /*retain_graph=*/true, /*create_graph=*/true);
  TensorList product = torch::autograd::grad(g, theta, v);
  for (Tensor& of_parameter : product) of_parameter = mean(*problem.group, of_parameter);
  return product;
}

}  // namespace apo
