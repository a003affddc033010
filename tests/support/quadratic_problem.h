// A loss whose derivatives are known by hand: ½ θᵀ H θ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include "apo/problem/toy.h"

namespace apo::test {

/// z = θ, [1, n], all parts of θ in a row. Moves its first buffer at every forward pass, as
/// BatchNorm does; the name says whether it is one.
class PointWithBuffer : public Network {
 public:
  explicit PointWithBuffer(const TensorList& parts,
                           const std::string& name = "buffer",
                           int64_t count = 1)
      : Network(leaves(parts), buffers_called(name, count)) {}
  Tensor forward(const Tensor&) override {
    buffers()[0].detach().add_(1);
    return at::cat(parameters()).unsqueeze(0);
  }

 private:
  static NamedTensors leaves(const TensorList& parts) {
    NamedTensors all;
    for (const Tensor& part : parts) {
      all.names.push_back("theta" + std::to_string(all.names.size()));
      all.tensors.push_back(part.clone().requires_grad_());
    }
    return all;
  }

  static NamedTensors buffers_called(const std::string& name, int64_t count) {
    NamedTensors all;
    for (int64_t i = 0; i < count; ++i) {
      all.names.push_back(std::to_string(i) + "." + name);
      all.tensors.push_back(at::zeros({1}, at::kDouble));
    }
    return all;
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
  QuadraticProblem(const Tensor& hessian, const Tensor& start, const Batch& batch = {})
      : QuadraticProblem(hessian, TensorList{start}, batch) {}
  /// With a parameter for each part.
  QuadraticProblem(const Tensor& hessian, const TensorList& parts, const Batch& batch = {}) {
    const Draw draw = [batch](at::Generator&) { return batch; };
    network = std::make_unique<PointWithBuffer>(parts);
    loss = std::make_unique<QuadraticLoss>(hessian);
    batches = make_drawn(0, RandomStream::training_batches, draw, 10);
    discrepancy_batches = make_drawn(0, RandomStream::discrepancy_batches, draw, 10);
  }
};

}  // namespace apo::test
