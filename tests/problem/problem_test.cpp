#include "apo/problem/problem.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include "apo/problem/supervised.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

constexpr int64_t kWords = 7;
constexpr int64_t kSteps = 5;

/// Words → the next word, each from the one before alone. As a user would write it.
struct Bigram : torch::nn::Module {
  Tensor forward(const Tensor& x) { return tapped(out, embedding->forward(x)); }
  torch::nn::Embedding embedding = register_module("embedding", torch::nn::Embedding(kWords, 6));
  torch::nn::Linear out = register_module("out", torch::nn::Linear(6, kWords));
};

/// Sequences of integers with one target for each position.
Dataset sequences() {
  at::Generator generator = make_generator(0, RandomStream::synthetic_data);
  const auto split = [&](int64_t count) {
    const Tensor x = at::randint(kWords, {count, kSteps}, generator, at::kLong);
    return Split{x, (x + 1).remainder(kWords), {}};
  };
  Split train = split(600);
  return {std::move(train), split(50), kWords, {}};
}

std::unique_ptr<Problem> bigrams(const Dataset& data) {
  const SupervisedOptions options{.batch_size = 16, .precision = Precision::float64};
  return make_supervised(network_of(std::make_shared<Bigram>(), {.precision = Precision::float64}),
                         make_cross_entropy(),
                         data,
                         options);
}

TEST(Problem, OfSequencesIsEvaluatedOverAllPositions) {
  const Dataset data = sequences();
  const auto problem = bigrams(data);
  const Metrics metrics = *evaluate(*problem, Part::train);
  const at::NoGradGuard no_grad;
  const Tensor rows = problem->network->forward(data.train.inputs).view({-1, kWords});
  const Tensor y = data.train.targets.flatten();
  const Tensor p = rows.log_softmax(1).gather(1, y.unsqueeze(1));
  EXPECT_NEAR(metrics.loss, -p.mean().item<double>(), 1e-12);
  EXPECT_NEAR(*metrics.accuracy, rows.argmax(1).eq(y).to(at::kDouble).mean().item<double>(), 1e-12);
}

TEST(Problem, MomentsOfSequencesAreThoseOfTheirPositionsAsExamples) {
  const auto problem = bigrams(sequences());
  const Batch x = problem->batches->next();
  const Batch rows{x.inputs.flatten(), x.targets.flatten()};
  const CurvatureOptions options{.fisher = Fisher::empirical};
  const LayerMoments whole = curvature(*problem, x, options, 0)[0];
  const LayerMoments flat = curvature(*problem, rows, options, 0)[0];
  EXPECT_LT((whole.inputs - flat.inputs).abs().max().item<double>(), 1e-14);
  EXPECT_LT((whole.output_gradients - flat.output_gradients).abs().max().item<double>(), 1e-14);
}

TEST(Problem, EvaluationWeighsExamples) {
  Dataset data = sequences();
  data.test.weights = at::arange(50, at::kDouble);
  const auto problem = bigrams(data);
  const at::NoGradGuard no_grad;
  const Tensor z = problem->network->forward(data.test.inputs);
  const double expected =
      make_cross_entropy()->value(z, {{}, data.test.targets, data.test.weights}).item<double>();
  EXPECT_NEAR(evaluate(*problem, Part::test)->loss, expected, 1e-12);
}

TEST(Problem, IsEvaluatedByThePlainLoss) {
  test::TinyProblem problem;
  const Batch x = problem.batches->next();
  const double trained = loss_on(problem, x).item<double>();
  const double reported = evaluate(problem, Part::test)->loss;
  problem.loss = make_cross_entropy({.label_smoothing = 0.2});
  EXPECT_NE(loss_on(problem, x).item<double>(), trained);
  EXPECT_EQ(evaluate(problem, Part::test)->loss, reported);
}

TEST(Problem, BatchesCarryTheirWeights) {
  Dataset data = sequences();
  data.train.weights = at::arange(600, at::kDouble);
  data.train.inputs = at::arange(600, at::kLong).unsqueeze(1);
  const Batch x = bigrams(data)->batches->next();
  EXPECT_TRUE(x.weights.equal(x.inputs.select(1, 0).to(at::kDouble)));
}

TEST(Problem, WithoutAPartIsNotEvaluatedOnIt) {
  test::TinyProblem problem;
  problem.test.reset();
  EXPECT_FALSE(evaluate(problem, Part::test));
  EXPECT_TRUE(evaluate(problem, Part::train));
}

}  // namespace
}  // namespace apo
