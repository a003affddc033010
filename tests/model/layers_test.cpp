// The layers of the configuration beside LibTorch's own modules of the same numbers.
#include "apo/model/layer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>

#include <functional>
#include <map>

#include "apo/base/random.h"
#include "support/layers.h"
#include "support/registry_names.h"

namespace apo {
namespace {

namespace nn = torch::nn;

struct ResidualTwin : nn::Module {
  Tensor forward(const Tensor& x) { return layers->forward(x) + shortcut->forward(x); }
  nn::Sequential layers =
      register_module("layers", nn::Sequential(nn::Conv2d(2, 4, 1), nn::ReLU(), nn::Dropout(0.5)));
  nn::Sequential shortcut = register_module("shortcut", nn::Sequential(nn::Conv2d(2, 4, 1)));
};

/// Layers of the configuration, the shape of what they get, and LibTorch's.
struct Twin {
  std::string yaml;
  std::vector<int64_t> input;
  std::function<nn::Sequential()> make;
};

const std::vector<int64_t> kNumbers = {6};
const std::vector<int64_t> kPicture = {2, 7, 6};

Twin pointwise(const char* name, std::function<nn::Sequential()> make) {
  return {name, kNumbers, std::move(make)};
}

const std::multimap<std::string, Twin>& twins() {
  static const std::multimap<std::string, Twin> all = {
      {"linear",
       {"{name: linear, outputs: 4}", kNumbers, [] { return nn::Sequential(nn::Linear(6, 4)); }}},
      {"linear",
       {"{name: linear, outputs: 4, bias: false}",
        {3, 6},
        [] { return nn::Sequential(nn::Linear(nn::LinearOptions(6, 4).bias(false))); }}},
      {"conv",
       {"{name: conv, channels: 4}", kPicture, [] { return nn::Sequential(nn::Conv2d(2, 4, 3)); }}},
      {"conv",
       {"{name: conv, channels: 4, kernel: 5, stride: 2, padding: 2, bias: false}",
        kPicture,
        [] {
          return nn::Sequential(
              nn::Conv2d(nn::Conv2dOptions(2, 4, 5).stride(2).padding(2).bias(false)));
        }}},
      {"embedding",
       {"{name: embedding, count: 12, width: 5}",
        kNumbers,
        [] { return nn::Sequential(nn::Embedding(12, 5)); }}},
      {"batch_norm", {"batch_norm", kPicture, [] { return nn::Sequential(nn::BatchNorm2d(2)); }}},
      {"batch_norm", {"batch_norm", kNumbers, [] { return nn::Sequential(nn::BatchNorm1d(6)); }}},
      {"group_norm",
       {"{name: group_norm, groups: 2}",
        {6, 3, 3},
        [] { return nn::Sequential(nn::GroupNorm(nn::GroupNormOptions(2, 6))); }}},
      {"layer_norm",
       {"layer_norm",
        {3, 6},
        [] {
          return nn::Sequential(nn::LayerNorm(nn::LayerNormOptions(std::vector<int64_t>{6})));
        }}},
      {"max_pool", {"max_pool", kPicture, [] { return nn::Sequential(nn::MaxPool2d(2)); }}},
      {"max_pool",
       {"{name: max_pool, size: 3, stride: 2, padding: 1}",
        kPicture,
        [] {
          return nn::Sequential(nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1)));
        }}},
      {"average_pool",
       {"{name: average_pool, size: 3, stride: 2, padding: 1}",
        kPicture,
        [] {
          return nn::Sequential(nn::AvgPool2d(nn::AvgPool2dOptions(3).stride(2).padding(1)));
        }}},
      {"global_pool",
       {"global_pool", kPicture, [] { return nn::Sequential(nn::AdaptiveAvgPool2d(1)); }}},
      {"relu", pointwise("relu", [] { return nn::Sequential(nn::ReLU()); })},
      {"leaky_relu",
       pointwise("{name: leaky_relu, slope: 0.2}",
                 [] {
                   return nn::Sequential(nn::LeakyReLU(nn::LeakyReLUOptions().negative_slope(0.2)));
                 })},
      {"elu", pointwise("elu", [] { return nn::Sequential(nn::ELU()); })},
      {"gelu", pointwise("gelu", [] { return nn::Sequential(nn::GELU()); })},
      {"silu", pointwise("silu", [] { return nn::Sequential(nn::SiLU()); })},
      {"tanh", pointwise("tanh", [] { return nn::Sequential(nn::Tanh()); })},
      {"sigmoid", pointwise("sigmoid", [] { return nn::Sequential(nn::Sigmoid()); })},
      {"dropout",
       pointwise("{name: dropout, probability: 0.3}",
                 [] { return nn::Sequential(nn::Dropout(0.3)); })},
      {"flatten", {"flatten", kPicture, [] { return nn::Sequential(nn::Flatten()); }}},
      {"residual",
       {"{name: residual, layers: [{name: conv, channels: 4, kernel: 1}, relu, dropout], "
        "shortcut: [{name: conv, channels: 4, kernel: 1}]}",
        kPicture,
        [] { return nn::Sequential(std::make_shared<ResidualTwin>()); }}},
  };
  return all;
}

class Layers : public testing::TestWithParam<std::string> {};

/// z and its gradients, in the parameters of `module` and, of real numbers, in x.
TensorList outputs_and_gradients(const std::function<Tensor(const Tensor&)>& forward,
                                 const nn::Module& module,
                                 Tensor x) {
  at::manual_seed(7);  // of dropout
  TensorList in = module.parameters();
  if (x.is_floating_point()) in.push_back(x = x.detach().requires_grad_());
  const Tensor z = forward(x);
  const Tensor weights = at::linspace(-1, 2, z.numel(), at::kDouble).view_as(z);
  TensorList all = torch::autograd::grad({(z * weights).sum()}, in);
  all.push_back(z);
  return all;
}

TEST_P(Layers, AreLibTorchsModulesToTheBit) {
  const auto [begin, end] = twins().equal_range(GetParam());
  ASSERT_NE(begin, end) << "a new layer wants a twin here";
  for (auto it = begin; it != end; ++it) {
    const Twin& twin = it->second;
    const bool looks_up = GetParam() == "embedding";
    int64_t parameters = 0;
    at::manual_seed(3);  // of the initial parameters
    const LayerSequence ours(test::layers_of(twin.yaml),
                             {.path = "layers",
                              .name = {},
                              .input = twin.input,
                              .takes_indices = looks_up,
                              .parameters = &parameters});
    nn::Module module;
    ours.register_in(module);
    at::manual_seed(3);
    nn::Sequential theirs = twin.make();
    module.to(at::kDouble);
    theirs->to(at::kDouble);
    const auto own = module.named_parameters();
    ASSERT_EQ(own.keys(), theirs->named_parameters().keys());
    EXPECT_EQ(module.named_buffers().keys(), theirs->named_buffers().keys());
    for (const auto& item : theirs->named_parameters()) {
      EXPECT_TRUE(at::equal(own[item.key()], item.value())) << item.key();
    }
    std::vector<int64_t> sizes = twin.input;
    sizes.insert(sizes.begin(), 3);
    const Tensor x = looks_up
                         ? at::arange(18).remainder(12).view(sizes)
                         : at::randn(sizes, make_generator(1, RandomStream::toy_data), at::kDouble);
    for (const bool training : {true, false}) {
      module.train(training);
      theirs->train(training);
      const TensorList a =
          outputs_and_gradients([&](const Tensor& t) { return ours.forward(t); }, module, x);
      const TensorList b =
          outputs_and_gradients([&](const Tensor& t) { return theirs->forward(t); }, *theirs, x);
      for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << twin.yaml << i;
      EXPECT_EQ(a.back().sizes().slice(1), at::IntArrayRef(ours.shape())) << twin.yaml;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Layers, testing::ValuesIn(test::names(layers())), test::test_name);

}  // namespace
}  // namespace apo
