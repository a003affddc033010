// A small smooth network in float64, written without modules, so that tests can also call it as a
// function of θ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>

#include "apo/base/random.h"
#include "apo/model/taps.h"
#include "apo/problem/problem.h"

namespace apo::test {

/// z = W₂ tanh(W₁ x + b₁) + b₂ with softmax cross-entropy; batches of 8 with 4 inputs and 3
/// classes.
class TinyProblem : public Problem {
 public:
  explicit TinyProblem(uint64_t seed = 0, at::Device device = at::kCPU)
      : device_(device),
        x_(make_generator(seed, RandomStream::training_batches)),
        x_tilde_(make_generator(seed, RandomStream::discrepancy_batches)) {
    at::Generator generator = make_generator(seed, RandomStream::model);
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{5, 4}, {5}, {3, 5}, {3}}) {
      const Tensor theta = at::randn(shape, generator, at::kDouble).to(device);
      parameters_.push_back(theta.requires_grad_());
    }
    buffers_ = {at::rand({3}, generator, at::kDouble).to(device)};
  }

  TensorList& parameters() override { return parameters_; }
  const std::vector<std::string>& parameter_names() const override { return names_; }
  TensorList& buffers() override { return buffers_; }
  int64_t steps_per_epoch() const override { return 10; }
  Batch next_batch() override { return draw(x_); }
  Batch next_discrepancy_batch() override { return draw(x_tilde_); }

  /// Moves its buffer at every forward pass, as BatchNorm does.
  Tensor outputs(const Batch& x) override {
    buffers_[0].detach().add_(1);
    return outputs_at(parameters_, x);
  }
  static Tensor outputs_at(const TensorList& theta, const Batch& x) {
    const Tensor hidden = (at::matmul(x.inputs, theta[0].t()) + theta[1]).tanh();
    return at::matmul(hidden, theta[2].t()) + theta[3];
  }
  Tensor loss(const Tensor& z, const Batch& x) override {
    return at::cross_entropy_loss(z, x.targets) * loss_scale;
  }
  Tensor correct(const Tensor& z, const Batch& x) override {
    return z.detach().argmax(1).eq(x.targets).sum();
  }
  std::vector<LayerMoments> curvature(const Batch& x,
                                      const CurvatureOptions& options,
                                      uint64_t draw) override {
    const at::AutoGradMode with_gradients(true);
    const TensorList& theta = parameters_;
    const Tensor inner = at::matmul(x.inputs, theta[0].t()) + theta[1];
    const Tensor hidden = inner.tanh();
    const Tensor z = at::matmul(hidden, theta[2].t()) + theta[3];
    Tensor targets = x.targets;
    if (options.fisher == Fisher::sampled) {
      at::Generator generator = make_generator(0, RandomStream::fisher_targets, draw);
      targets = z.detach().softmax(1).multinomial(1, false, generator).squeeze(1);
    }
    const std::vector<LayerTap> taps = {{theta[0], theta[1], x.inputs, inner, {}, {}, {}},
                                        {theta[2], theta[3], hidden.detach(), z, {}, {}, {}}};
    return layer_moments(taps, loss(z, {x.inputs, targets}), theta);
  }
  void visit_state(StateVisitor& visitor) override {
    for (size_t i = 0; i < parameters_.size(); ++i) visitor.shared(names_[i], parameters_[i]);
    visitor.shared("buffer", buffers_[0]);
    visit_generator("x", x_, visitor);
    visit_generator("x_tilde", x_tilde_, visitor);
  }
  std::optional<Metrics> evaluate(Part, const Poll&) override {
    ++evaluations;
    return Metrics{.loss = 1, .accuracy = 0.5};
  }

  double loss_scale = 1;
  int evaluations = 0;

 private:
  Batch draw(at::Generator& generator) const {
    const Tensor inputs = at::randn({8, 4}, generator, at::kDouble);
    // A label that the inputs determine, so that there is something to learn.
    return {inputs.to(device_), inputs.narrow(1, 0, 3).argmax(1).to(device_)};
  }

  static void visit_generator(const std::string& name,
                              at::Generator& generator,
                              StateVisitor& visitor) {
    Tensor state = generator.get_state();
    visitor.tensor(name, state);
    if (visitor.restores()) generator.set_state(state);
  }

  at::Device device_;
  at::Generator x_;
  at::Generator x_tilde_;
  TensorList parameters_;
  TensorList buffers_;
  std::vector<std::string> names_ = {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
};

}  // namespace apo::test
