// A loss whose derivatives are known by hand: ½ θᵀ H θ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include "apo/problem/problem.h"

namespace apo::test {

/// g = H θ, the same for every batch. Epochs of 10 steps.
class QuadraticProblem : public Problem {
 public:
  /// hessian: [n, n], symmetric; start: [n]; both float64.
  QuadraticProblem(Tensor hessian, const Tensor& start)
      : hessian_(std::move(hessian)), parameters_{start.clone().requires_grad_()} {}

  TensorList& parameters() override { return parameters_; }
  const std::vector<std::string>& parameter_names() const override { return names_; }
  TensorList& buffers() override { return buffers_; }
  int64_t steps_per_epoch() const override { return 10; }
  Batch next_batch() override { return {}; }
  Batch next_discrepancy_batch() override { return {}; }

  /// Moves its buffer, as BatchNorm does.
  Tensor outputs(const Batch&) override {
    buffers_[0].detach().add_(1);
    return parameters_[0].unsqueeze(0);
  }
  Tensor loss(const Tensor& z, const Batch&) override {
    return (z * at::matmul(z, hessian_)).sum() / 2;
  }
  Tensor correct(const Tensor&, const Batch&) override { return {}; }
  std::optional<Metrics> evaluate(Part, const Poll&) override { return std::nullopt; }
  void visit_state(StateVisitor& visitor) override { visitor.shared("theta", parameters_[0]); }

 private:
  Tensor hessian_;
  TensorList parameters_;
  TensorList buffers_ = {at::zeros({1}, at::kDouble)};
  std::vector<std::string> names_ = {"theta"};
};

}  // namespace apo::test
