#include "apo/study/schedule_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/base/random.h"

namespace apo {
namespace {

constexpr NoisyQuadraticStudy kSmall{.dimension = 20, .start = 5, .iterations = 15};

Tensor constant(double value) {
  return at::full({1, kSmall.iterations}, value, at::kDouble);
}

/// Mean f over many sampled runs of plain SGD, each step with rates(t, g, h).
template <class Rate>
double sampled_loss(Rate rate) {
  constexpr int64_t kRuns = 4000;
  at::Generator generator = make_generator(1, RandomStream::toy_data);
  const Tensor h = at::linspace(kSmall.lowest_curvature, 1, kSmall.dimension, at::kDouble);
  Tensor x = at::full({kRuns, kSmall.dimension}, kSmall.start, at::kDouble);
  for (int64_t t = 0; t < kSmall.iterations; ++t) {
    const Tensor c = at::randn(x.sizes(), generator, at::kDouble) / h.sqrt();
    const Tensor g = h * (x - c);
    x = x - rate(g, h) * g;
  }
  return (h * x.square()).sum(1).mean().item<double>() / 2;
}

TEST(UnrolledSgd, ItsExpectedLossIsTheMeanOfSampledRuns) {
  const double expected = unroll_sgd(kSmall, constant(0.3)).losses[0][-1].item<double>();
  const double sampled = sampled_loss([](const Tensor&, const Tensor&) { return 0.3; });
  EXPECT_NEAR(sampled / expected, 1, 0.02);  // 4000 runs of some 4 independent terms
}

TEST(UnrolledApo, WithItsRatesSgdHasTheSameLosses) {
  const UnrolledRuns apo = unroll_apo(kSmall, constant(0.2));
  const UnrolledRuns sgd = unroll_sgd(kSmall, apo.learning_rates);
  EXPECT_LT((apo.losses - sgd.losses).abs().max().item<double>(), 1e-12);
}

TEST(UnrolledApo, ItsRateMinimisesTheExpectedProximalObjective) {
  // E[f̃(x − η g)] + λ η² E‖g‖² at the first step, from its terms; c is the same in f̃ and g.
  constexpr double kLambda = 0.2;
  const double eta = unroll_apo(kSmall, constant(kLambda)).learning_rates[0][0].item<double>();
  const Tensor h = at::linspace(kSmall.lowest_curvature, 1, kSmall.dimension, at::kDouble);
  const Tensor centred = kSmall.start * kSmall.start + 1 / h;  // E[(x − c)²]
  const auto objective = [&](double rate) {
    const Tensor loss = h * (1 - rate * h).square() * centred / 2;
    return (loss + kLambda * rate * rate * h.square() * centred).sum().item<double>();
  };
  EXPECT_LT(objective(eta), objective(eta * 1.001));
  EXPECT_LT(objective(eta), objective(eta * 0.999));
}

TEST(UnrolledGreedy, NoOtherRateGivesALowerNextLoss) {
  const UnrolledRuns greedy = unroll_greedy(kSmall);
  const double next = greedy.losses[0][1].item<double>();
  const Tensor rates = greedy.learning_rates;
  for (const double factor : {0.999, 1.001}) {
    EXPECT_GT(unroll_sgd(kSmall, rates * factor).losses[0][1].item<double>(), next);
  }
}

TEST(UnrolledSgd, TheGradientThroughTheRunAgreesWithFiniteDifferences) {
  const Tensor rates = constant(0.3).clone().requires_grad_();
  const Tensor slope = torch::autograd::grad({unroll_sgd(kSmall, rates).losses[0][-1]}, {rates})[0];
  constexpr double kStep = 1e-6;
  for (const int64_t t : {0L, 7L, 14L}) {
    const auto loss = [&](double shift) {
      const Tensor moved = constant(0.3).clone();
      moved[0][t] += shift;
      return unroll_sgd(kSmall, moved).losses[0][-1].item<double>();
    };
    const double difference = (loss(kStep) - loss(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope[0][t].item<double>() / difference, 1, 1e-6);
  }
}

TEST(ScheduleSearch, RicherFamiliesDoNotDoWorse) {
  for (const SearchedMethod method : {SearchedMethod::sgd, SearchedMethod::apo}) {
    const auto found = search_schedules(kSmall, method, 300, 0.03);
    const Tensor last = found.runs.losses.select(1, kSmall.iterations);
    EXPECT_LT(last[1].item<double>(), last[0].item<double>());
    EXPECT_LT(last[3].item<double>(), last[2].item<double>());
  }
}

}  // namespace
}  // namespace apo
