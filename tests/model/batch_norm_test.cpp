#include "apo/model/batch_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/linear.h>

#include "apo/base/dual_level.h"
#include "apo/base/error.h"
#include "apo/base/random.h"
#include "apo/model/module_network.h"
#include "support/scripts.h"
#include "support/thread_group.h"

namespace apo {
namespace {

constexpr int64_t kBatch = 7, kChannels = 3;

/// What is known of a layer on a batch, or on a part of it.
struct Passed {
  Tensor y;
  TensorList gradients;  ///< in x, weight, bias, of a loss
  TensorList second;     ///< and of these, along directions, in x and weight
  Tensor tangent;        ///< of y
  Tensor running_mean, running_var;
};

/// Pictures whose mean is large beside their spread, with what belongs to each.
struct Drawn {
  Drawn() {
    at::Generator generator = make_generator(0, RandomStream::model);
    const auto draw = [&](at::IntArrayRef sizes) {
      return at::randn(sizes, generator, at::kDouble);
    };
    x = 100 + draw({kBatch, kChannels, 2, 2});
    along_x = draw(x.sizes());
    target = draw(x.sizes());
    weight = draw({kChannels});
    along_weight = draw({kChannels});
  }
  Tensor x, along_x, target, weight, along_weight;
};

/// Of examples [begin, begin + count) of the drawn ones.
template <class Norm>
Passed pass(Norm layer, const Drawn& drawn, int64_t begin, int64_t count) {
  layer->to(at::kDouble);
  layer->weight.set_data(drawn.weight.clone());
  const auto part = [&](const Tensor& t) { return t.narrow(0, begin, count); };
  const Tensor x = part(drawn.x).clone().requires_grad_();
  const TensorList in = {x, layer->weight, layer->bias};

  Passed passed;
  const Tensor y = layer->forward(x);
  passed.running_mean = layer->running_mean.clone();
  passed.running_var = layer->running_var.clone();
  passed.y = y.detach();
  const Tensor loss = (y * part(drawn.target)).sum() + y.pow(3).sum();
  passed.gradients = torch::autograd::grad({loss}, in, {}, true, /*create_graph=*/true);
  const Tensor along = (passed.gradients[0] * part(drawn.along_x)).sum() +
                       (passed.gradients[1] * drawn.along_weight).sum();
  passed.second = torch::autograd::grad({along}, {x, layer->weight});
  layer->weight._set_fw_grad(drawn.along_weight, 0, false);
  const Tensor dual = at::_make_dual(x.detach(), part(drawn.along_x), 0);
  passed.tangent = std::get<1>(at::_unpack_dual(layer->forward(dual), 0)).detach();
  return passed;
}

void expect_near(const Tensor& found, const Tensor& expected) {
  const double size = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT((found - expected).abs().max().item<double>(), 1e-11 * size);  // of sums of 1e2
}

TEST(BatchNorm, OfTheRanksPartsIsLibTorchsOfTheWholeBatchWithAllItsDerivatives) {
  const Drawn drawn;
  const DualLevel level;  // one for all threads, for there is but one in a process
  const Passed whole = pass(torch::nn::BatchNorm2d(kChannels), drawn, 0, kBatch);
  for (const int64_t ranks : {2, 3, 7}) {
    std::vector<Passed> parts(ranks);
    test::on_ranks(ranks, [&](Group& group) {
      BatchNorm2d layer(kChannels);
      layer->share_with(group);
      const Share own = share_of(kBatch, group.rank(), group.size());
      parts[group.rank()] = pass(layer, drawn, own.begin, own.count);
    });
    const auto joined = [&](const auto& of) {
      TensorList all;
      for (const Passed& part : parts) all.push_back(of(part));
      return at::cat(all);
    };
    const auto summed = [&](const auto& of) {
      Tensor sum = at::zeros_like(of(whole));
      for (const Passed& part : parts) sum = sum + of(part);
      return sum;
    };
    expect_near(joined([](const Passed& p) { return p.y; }), whole.y);
    expect_near(joined([](const Passed& p) { return p.tangent; }), whole.tangent);
    expect_near(joined([](const Passed& p) { return p.gradients[0]; }), whole.gradients[0]);
    expect_near(joined([](const Passed& p) { return p.second[0]; }), whole.second[0]);
    for (const size_t i : {1, 2}) {
      expect_near(summed([i](const Passed& p) { return p.gradients[i]; }), whole.gradients[i]);
    }
    expect_near(summed([](const Passed& p) { return p.second[1]; }), whole.second[1]);
    for (const Passed& part : parts) {
      expect_near(part.running_mean, whole.running_mean);
      expect_near(part.running_var, whole.running_var);
    }
  }
}

template <class Norm>
struct Normed : torch::nn::Module {
  Tensor forward(const Tensor& x) { return fc(norm(x)); }
  Norm norm = register_module("norm", Norm(4));
  torch::nn::Linear fc = register_module("fc", torch::nn::Linear(4, 2));
};

/// One of two, who never comes to meet the other.
struct OneOfTwo : Group {
  int64_t size() const override { return 2; }
};

TEST(BatchNorm, IsLibTorchsToTheBitWhereOneRankIsAsked) {
  const Tensor x = at::randn({5, 4});
  const auto own = std::make_shared<Normed<BatchNorm1d>>();
  const auto network = network_of(own, {.batch_norm = &alone()});
  torch::nn::BatchNorm1d expected(4);
  EXPECT_TRUE(network->forward(x).equal(own->fc(expected(x))));
  EXPECT_TRUE(own->norm->running_var.equal(expected->running_var));
}

std::string refusal(const std::function<void()>& make) {
  try {
    make();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(BatchNorm, WhatRanksCannotNormaliseTogetherIsRefused) {
  OneOfTwo group;
  const auto of_libtorch = std::make_shared<Normed<torch::nn::BatchNorm1d>>();
  const std::shared_ptr<Model> script = test::saved_and_read(test::linear_script(4, 1));
  EXPECT_THAT(refusal([&] { network_of(of_libtorch, {.batch_norm = &group}); }),
              testing::HasSubstr("LibTorch's own BatchNorm"));
  EXPECT_THAT(refusal([&] { network_of(script, {.batch_norm = &group}); }),
              testing::HasSubstr("model.batch_norm_sync = true: a module of PyTorch from a file"));
  EXPECT_EQ(refusal([&] { network_of(script, {.batch_norm = &alone()}); }), "");
  EXPECT_EQ(refusal([&] { network_of(of_libtorch, {}); }), "");
}

}  // namespace
}  // namespace apo
