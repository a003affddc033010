// A network of one's own, on tensors of one's own, whose learning rate APO tunes while it trains.
#include <torch/torch.h>

#include <cstdio>

#include "apo/train/trainer.h"

/// y = sin 3x for x in [-1, 1], from 64 examples at a time.
struct Sine : apo::Problem {
  Sine() {
    for (const auto& item : network_->named_parameters()) {
      names_.push_back(item.key());
      parameters_.push_back(item.value());
    }
  }
  apo::TensorList& parameters() override { return parameters_; }
  const std::vector<std::string>& parameter_names() const override { return names_; }
  apo::TensorList& buffers() override { return buffers_; }
  int64_t steps_per_epoch() const override { return 500; }
  apo::Batch next_batch() override { return draw(); }
  apo::Batch next_discrepancy_batch() override { return draw(); }
  at::Tensor outputs(const apo::Batch& x) override { return network_->forward(x.inputs); }
  at::Tensor loss(const at::Tensor& z, const apo::Batch& x) override {
    return torch::mse_loss(z, x.targets);
  }
  bool has_classes() const override { return false; }
  at::Tensor correct(const at::Tensor&, const apo::Batch&) override { return {}; }
  std::optional<apo::Metrics> evaluate(apo::Part, const apo::Poll&) override {
    const torch::NoGradGuard no_grad;
    return apo::Metrics{loss(outputs(all_), all_).item<double>(), {}};
  }
  void visit_state(apo::StateVisitor&) override {}  // for checkpoints, which nobody writes here

  apo::Batch draw() const {
    const at::Tensor some = torch::randint(1000, {64}, torch::kLong);
    return {all_.inputs.index_select(0, some), all_.targets.index_select(0, some)};
  }
  torch::nn::Sequential network_{
      torch::nn::Linear(1, 32), torch::nn::Tanh(), torch::nn::Linear(32, 1)};
  const at::Tensor x_ = torch::linspace(-1, 1, 1000).unsqueeze(1);
  const apo::Batch all_{x_, (3 * x_).sin()};
  apo::TensorList parameters_, buffers_;
  std::vector<std::string> names_;
};

int main() {
  torch::manual_seed(0);
  Sine problem;
  const auto rule = apo::make_sgdm({}, {.learning_rate = 1e-4});
  const auto tuner = apo::make_apo({});
  const apo::RunSummary end = apo::train(problem, *rule, *tuner, {.steps = 5000}, {});
  std::printf("loss %.5f, learning rate %.3g\n", end.final_test->loss, end.final_learning_rate);
  return end.final_test->loss < 0.01 ? 0 : 1;
}
