#include "apo/problem/curvature.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/base/random.h"
#include "apo/data/dataset.h"
#include "apo/model/model.h"
#include "apo/model/taps.h"
#include "apo/problem/supervised.h"

namespace apo {
namespace {

at::Generator generator() {
  return make_generator(5, RandomStream::model);
}

double largest(const Tensor& difference) {
  return difference.abs().max().item<double>();
}

TEST(LayerMoments, OfOneExampleAreItsGradientsOuterProduct) {
  // vec(∇W) = ∇z ⊗ a, so that the Kronecker product is exact for one example of a linear layer.
  torch::nn::Linear layer(3, 2);
  layer->to(at::kDouble);
  const Tensor x = at::randn({1, 3}, generator(), at::kDouble);
  TensorList parameters = layer->parameters();
  const auto loss = [&] { return tapped(layer, x).sin().sum(); };
  const TensorList g = torch::autograd::grad({loss()}, parameters);
  const TapScope scope;
  const Tensor value = loss();
  const LayerMoments moments = layer_moments(scope.taps(), value, parameters)[0];
  const Tensor joint = at::cat({g[0], g[1].unsqueeze(1)}, 1).flatten();
  const Tensor fisher = at::kron(moments.output_gradients, moments.inputs);
  EXPECT_LT(largest(fisher - at::outer(joint, joint)), 1e-15);
  EXPECT_EQ(moments.weight, 0);
  EXPECT_EQ(moments.bias, 1);
}

/// A convolution's moments against loops over its patches; Ω sees every position_stride-th.
void expect_moments_of_patches(int64_t position_stride) {
  constexpr int64_t kBatch = 2, kIn = 2, kOut = 3, kSize = 9, kKernel = 3, kStride = 2;
  torch::nn::Conv2d layer(torch::nn::Conv2dOptions(kIn, kOut, kKernel).padding(1).stride(kStride));
  layer->to(at::kDouble);
  const Tensor x = at::randn({kBatch, kIn, kSize, kSize}, generator(), at::kDouble);
  const TapScope scope;
  const Tensor z = tapped(layer, x);
  const Tensor loss = z.sin().sum() / kBatch;
  const Tensor dz = torch::autograd::grad({loss}, {z}, {}, true)[0] * kBatch;
  const LayerMoments moments =
      layer_moments(scope.taps(), loss, layer->parameters(), position_stride)[0];

  const Tensor padded = at::pad(x, {1, 1, 1, 1});
  Tensor omega = at::zeros({kIn * 9 + 1, kIn * 9 + 1}, at::kDouble);
  Tensor gamma = at::zeros({kOut, kOut}, at::kDouble);
  const int64_t across = z.size(2);
  const int64_t visited = (across + position_stride - 1) / position_stride;
  const double thinning =
      static_cast<double>(across * across) / static_cast<double>(visited * visited);
  for (int64_t n = 0; n < kBatch; ++n) {
    for (int64_t i = 0; i < across; ++i) {
      for (int64_t j = 0; j < across; ++j) {
        const Tensor patch =
            padded[n].narrow(1, i * kStride, kKernel).narrow(2, j * kStride, kKernel).flatten();
        const Tensor a = at::cat({patch, at::ones({1}, at::kDouble)});
        const Tensor d = dz[n].select(1, i).select(1, j);
        if (i % position_stride == 0 && j % position_stride == 0) {
          omega += at::outer(a, a) * (thinning / kBatch);
        }
        gamma += at::outer(d, d) / static_cast<double>(kBatch * across * across);
      }
    }
  }
  EXPECT_LT(largest(moments.inputs - omega), 1e-13);
  EXPECT_LT(largest(moments.output_gradients - gamma), 1e-13);
}

TEST(LayerMoments, OfAConvolutionAreSumsOverItsPatches) {
  expect_moments_of_patches(1);
}

TEST(LayerMoments, OfAThinnedConvolutionAreMeansOverTheVisitedPatches) {
  expect_moments_of_patches(2);
  expect_moments_of_patches(3);
}

/// A linear classifier of random pictures, and what it sees of one large batch.
struct Classifier {
  static constexpr int64_t kExamples = 4000, kClasses = 3;
  Classifier() {
    const Tensor pictures = (at::rand({kExamples, 1, 2, 2}, generator()) * 255).to(at::kByte);
    const Split split{pictures, at::zeros({kExamples}, at::kLong)};
    const auto data = dataset_of_pictures(split, split, kClasses);
    std::shared_ptr<Model> model =
        make_mlp({.hidden = {}}, {.input = {1, 2, 2}, .outputs = kClasses});
    problem =
        make_supervised(model, *data, {.batch_size = kExamples, .precision = Precision::float64});
    x = problem->batches->next();
  }
  std::unique_ptr<Problem> problem;
  Batch x;
};

TEST(Fisher, SampledTargetsFollowThePredictions) {
  // Over the predictive distribution E[∇z ∇zᵀ] = diag(p) − p pᵀ. 4000 draws of entries below 1: the
  // mean's deviation is below 1/√4000 = .016; four of them.
  Classifier at;
  const Tensor p = at.problem->network->forward(at.x.inputs).detach().softmax(1);
  const Tensor expected = at::diag_embed(p).mean(0) - p.t().matmul(p) / Classifier::kExamples;
  const auto drawn = curvature(*at.problem, at.x, {Fisher::sampled}, 1)[0].output_gradients;
  EXPECT_LT(largest(drawn - expected), 0.064);
  EXPECT_GT(largest(drawn - curvature(*at.problem, at.x, {Fisher::sampled}, 2)[0].output_gradients),
            0);
  EXPECT_EQ(largest(drawn - curvature(*at.problem, at.x, {Fisher::sampled}, 1)[0].output_gradients),
            0);
}

TEST(Fisher, TheSampledOneDoesNotKnowLabelSmoothing) {
  Classifier at;
  const auto plain = curvature(*at.problem, at.x, {Fisher::sampled}, 1)[0].output_gradients;
  at.problem->loss = make_cross_entropy({.label_smoothing = 0.3});
  const auto smoothed = curvature(*at.problem, at.x, {Fisher::sampled}, 1)[0].output_gradients;
  EXPECT_EQ(largest(smoothed - plain), 0);
}

TEST(Fisher, TheEmpiricalOneUsesTheTrainingTargets) {
  Classifier at;
  at.problem->loss = make_cross_entropy({.label_smoothing = 0.3});
  const Tensor p = at.problem->network->forward(at.x.inputs).detach().softmax(1);
  const Tensor y = at::one_hot(at.x.targets, Classifier::kClasses).to(at::kDouble);
  const Tensor residual = p - (0.7 * y + 0.3 / Classifier::kClasses);
  const Tensor expected = residual.t().matmul(residual) / Classifier::kExamples;
  const auto seen = curvature(*at.problem, at.x, {Fisher::empirical}, 0)[0].output_gradients;
  EXPECT_LT(largest(seen - expected), 1e-14);
}

}  // namespace
}  // namespace apo
