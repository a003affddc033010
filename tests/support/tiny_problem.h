// A small smooth network in float64, written without modules, so that tests can also call it as a
// function of θ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "apo/data/stream.h"
#include "apo/model/taps.h"
#include "apo/problem/toy.h"

namespace apo::test {

/// z = W₂ tanh(W₁ x + b₁) + b₂. Moves its buffer at every forward pass, as BatchNorm does.
class TinyNetwork : public Network {
 public:
  TinyNetwork(at::Generator generator, at::Device device)
      : Network({drawn(generator, device), {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}},
                {{at::zeros({3}, at::kDouble).to(device)}, {"buffer"}}) {}

  Tensor forward(const Tensor& x) override {
    buffers()[0].detach().add_(1);
    return outputs_at(parameters(), x);
  }
  static Tensor outputs_at(const TensorList& theta, const Tensor& x) {
    const Tensor inner = at::matmul(x, theta[0].t()) + theta[1];
    const Tensor hidden = inner.tanh();
    Tensor z = at::matmul(hidden, theta[2].t()) + theta[3];
    if (TapScope* scope = TapScope::open()) {
      scope->add({theta[0], theta[1], x, inner, {}, {}, {}});
      scope->add({theta[2], theta[3], hidden.detach(), z, {}, {}, {}});
    }
    return z;
  }

 private:
  static TensorList drawn(at::Generator& generator, at::Device device) {
    TensorList theta;
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{5, 4}, {5}, {3, 5}, {3}}) {
      theta.push_back(at::randn(shape, generator, at::kDouble).to(device).requires_grad_());
    }
    return theta;
  }
};

/// With softmax cross-entropy; batches of 8 with 4 inputs and 3 classes, which the inputs
/// determine, so that there is something to learn. An epoch has 10 steps.
struct TinyProblem : Problem {
  explicit TinyProblem(uint64_t of = 0, at::Device device = at::kCPU) {
    const Draw draw = [device](at::Generator& generator) -> Batch {
      const Tensor inputs = at::randn({8, 4}, generator, at::kDouble);
      return {inputs.to(device), inputs.narrow(1, 0, 3).argmax(1).to(device)};
    };
    network = std::make_unique<TinyNetwork>(make_generator(of, RandomStream::model), device);
    loss = make_cross_entropy();
    batches = make_drawn(of, RandomStream::training_batches, draw, 10);
    discrepancy_batches = make_drawn(of, RandomStream::discrepancy_batches, draw, 10);
    at::Generator data = make_generator(of, RandomStream::synthetic_data);
    for (auto* part : {&train, &test}) {
      const Batch x = draw(data);
      *part =
          std::make_unique<SplitInOrder>(Split{x.inputs, x.targets}, Normalisation{}, at::kDouble);
    }
  }
};

}  // namespace apo::test
