// A small smooth network in float64, written without modules, so that tests can also call it as a
// function of θ.
#pragma once

#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include "apo/data/stream.h"
#include "apo/model/taps.h"
#include "apo/problem/toy.h"

namespace apo::test {

/// z = W₂ tanh(W₁ x + b₁) + b₂. Moves its buffer at every forward pass, as BatchNorm does.
struct TinyNetwork : Network {
  explicit TinyNetwork(uint64_t seed = 0, at::Device device = at::kCPU)
      : Network({{}, {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}},
                {{at::zeros({3}, at::kDouble).to(device)}, {"buffer"}}) {
    at::Generator generator = make_generator(seed, RandomStream::model);
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{5, 4}, {5}, {3, 5}, {3}}) {
      const Tensor drawn = at::randn(shape, generator, at::kDouble);
      parameters().push_back(drawn.to(device).requires_grad_());
    }
  }
  Tensor forward(const Tensor& x) override {
    buffers()[0].detach().add_(1);
    return outputs_at(parameters(), x);
  }
  static Tensor outputs_at(const TensorList& theta, const Tensor& x) {
    return tapped(theta[2], theta[3], tapped(theta[0], theta[1], x).tanh());
  }
  static Tensor tapped(const Tensor& weight, const Tensor& bias, const Tensor& x) {
    Tensor z = at::linear(x, weight, bias);
    if (TapScope* scope = TapScope::open()) scope->add({weight, bias, x.detach(), z, {}, {}, {}});
    return z;
  }
};

/// With softmax cross-entropy; batches of 8 with 4 inputs and 3 classes, which the inputs
/// determine, so that there is something to learn. An epoch has 10 steps.
struct TinyProblem : Problem {
  explicit TinyProblem(uint64_t of = 0, at::Device device = at::kCPU) {
    const Draw draw = [device](at::Generator& generator) -> Batch {
      const Tensor x = at::randn({8, 4}, generator, at::kDouble).to(device);
      return {x, x.narrow(1, 0, 3).argmax(1)};
    };
    network = std::make_unique<TinyNetwork>(of, device);
    loss = make_cross_entropy();
    batches = make_drawn(of, RandomStream::training_batches, draw, 10);
    discrepancy_batches = make_drawn(of, RandomStream::discrepancy_batches, draw, 10);
    at::Generator data = make_generator(of, RandomStream::synthetic_data);
    for (auto* part : {&train, &test}) {
      *part = std::make_unique<SplitInOrder>(Split(draw(data)), Normalisation{}, at::kDouble);
    }
  }
};

}  // namespace apo::test
