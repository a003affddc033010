// A loss whose derivatives are known by hand: ½ θᵀ H θ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include "apo/problem/toy.h"

namespace apo::test {

/// z = θ, [1, n]. Moves its buffer at every forward pass, as BatchNorm does.
class PointWithBuffer : public Network {
 public:
  explicit PointWithBuffer(const Tensor& start)
      : Network({{start.clone().requires_grad_()}, {"theta"}},
                {{at::zeros({1}, at::kDouble)}, {"buffer"}}) {}
  Tensor forward(const Tensor&) override {
    buffers()[0].detach().add_(1);
    return parameters()[0].unsqueeze(0);
  }
};

struct QuadraticLoss : Loss {
  explicit QuadraticLoss(Tensor of) : hessian(std::move(of)) {}
  Tensor value(const Tensor& z, const Batch&) const override {
    return (z * at::matmul(z, hessian)).sum() / 2;
  }
  Tensor hessian;
};

/// g = H θ, the same for every batch. Epochs of 10 steps.
struct QuadraticProblem : Problem {
  /// hessian: [n, n], symmetric; start: [n]; both float64.
  QuadraticProblem(const Tensor& hessian, const Tensor& start, const Batch& batch = {}) {
    const Draw draw = [batch](at::Generator&) { return batch; };
    network = std::make_unique<PointWithBuffer>(start);
    loss = std::make_unique<QuadraticLoss>(hessian);
    batches = make_drawn(0, RandomStream::training_batches, draw, 10);
    discrepancy_batches = make_drawn(0, RandomStream::discrepancy_batches, draw, 10);
  }
};

}  // namespace apo::test
