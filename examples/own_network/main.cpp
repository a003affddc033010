// A network of one's own, on tensors of one's own, without a learning rate.
#include <torch/torch.h>

#include <cstdio>

#include "apo/problem/supervised.h"
#include "apo/train/trainer.h"

struct Net : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& x) { return out(torch::tanh(hidden(x))); }
  torch::nn::Linear hidden = register_module("hidden", torch::nn::Linear(1, 32));
  torch::nn::Linear out = register_module("out", torch::nn::Linear(32, 1));
};

/// y = sin 3x at `count` random x in [-1, 1].
apo::Split examples(int64_t count) {
  const torch::Tensor x = 2 * torch::rand({count, 1}) - 1;
  return {x, (3 * x).sin()};
}

int main() {
  torch::manual_seed(0);
  const apo::Dataset data{.train = examples(1000), .test = examples(200)};
  const auto problem = apo::make_supervised(apo::network_of(std::make_shared<Net>()),
                                            apo::make_squared_error(),
                                            data,
                                            {.batch_size = 64});
  const auto rule = apo::make_sgdm({}, {});
  const auto tuner = apo::make_movement({});
  const apo::RunSummary end = apo::train(
      *problem,
      *rule,
      *tuner,
      {.steps = 2000, .auto_learning_rate = true, .schedule = apo::make_linear_schedule({})},
      {});
  std::printf(
      "test loss %.5f, learning rate %.3g\n", end.final_test->loss, end.final_learning_rate);
  return end.final_test->loss < 0.01 ? 0 : 1;
}
