// Small modules in TorchScript, as PyTorch would have exported them.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <memory>
#include <string>

#include "apo/base/random.h"
#include "apo/model/model.h"
#include "support/files.h"

namespace apo::test {

/// With a mode, as every module of PyTorch has one.
inline torch::jit::Module script_named(const char* name) {
  torch::jit::Module module(name);
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

inline void add_parameter(torch::jit::Module& module, const char* name, const Tensor& values) {
  module.register_parameter(name, values.clone().requires_grad_(), /*is_buffer=*/false);
}

inline Tensor random_values(std::vector<int64_t> sizes, uint64_t seed = 0) {
  return at::randn(sizes, make_generator(seed, RandomStream::model), at::kFloat) / 4;
}

/// x W⊤ + b.
inline torch::jit::Module linear_script(int64_t inputs, int64_t outputs, uint64_t seed = 0) {
  torch::jit::Module linear = script_named("Linear");
  add_parameter(linear, "weight", random_values({outputs, inputs}, seed));
  add_parameter(linear, "bias", at::zeros({outputs}));
  linear.define("def forward(self, x):\n    return torch.linear(x, self.weight, self.bias)\n");
  return linear;
}

/// BatchNorm with momentum 0.1, as PyTorch's own is scripted.
inline torch::jit::Module norm_script(int64_t channels) {
  torch::jit::Module norm = script_named("BatchNorm");
  add_parameter(norm, "weight", at::ones({channels}));
  add_parameter(norm, "bias", at::zeros({channels}));
  norm.register_buffer("running_mean", at::zeros({channels}));
  norm.register_buffer("running_var", at::ones({channels}));
  norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  norm.define(R"(
def forward(self, x):
    if self.training:
        self.num_batches_tracked.add_(1)
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                            self.training, 0.1, 1e-5, False)
)");
  return norm;
}

/// flatten → fc1 → norm → ReLU → dropout of probability p → fc2.
inline torch::jit::Module classifier_script(int64_t inputs,
                                            int64_t hidden,
                                            int64_t classes,
                                            double p = 0) {
  torch::jit::Module classifier = script_named("Classifier");
  classifier.register_module("fc1", linear_script(inputs, hidden, 1));
  classifier.register_module("norm", norm_script(hidden));
  classifier.register_module("fc2", linear_script(hidden, classes, 2));
  const std::string dropout =
      p > 0 ? "    h = torch.dropout(h, " + std::to_string(p) + ", self.training)\n" : "";
  classifier.define(
      "def forward(self, x):\n"
      "    h = torch.relu(self.norm.forward(self.fc1.forward(x.flatten(1))))\n" +
      dropout + "    return self.fc2.forward(h)\n");
  return classifier;
}

/// The embedding of each token, [B, T, classes].
inline torch::jit::Module tokens_script(int64_t tokens, int64_t classes) {
  torch::jit::Module bag = script_named("Tokens");
  add_parameter(bag, "table", random_values({tokens, classes}));
  bag.register_buffer("offset", at::zeros({}, at::kLong));
  bag.define("def forward(self, x):\n    return torch.embedding(self.table, x + self.offset)\n");
  return bag;
}

/// Only a forward, of these lines.
inline torch::jit::Module script_of(const std::string& forward) {
  torch::jit::Module module = script_named("Other");
  add_parameter(module, "weight", random_values({3}));
  module.register_buffer("counter", at::zeros({}));
  module.define(forward);
  return module;
}

/// As it is read from a file.
inline std::shared_ptr<Model> saved_and_read(const torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "model.pt";
  module.save(path.string());
  return make_torchscript({.path = path.string()}, {});
}

}  // namespace apo::test
