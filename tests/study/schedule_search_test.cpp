#include "apo/study/schedule_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

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

double last_loss(const std::vector<FoundSchedule>& found, const std::string& family) {
  for (const FoundSchedule& one : found) {
    if (one.family == family) return one.losses[-1].item<double>();
  }
  ADD_FAILURE() << "no family " << family;
  return 0;
}

/// The least last loss of every line, or e to a line, whose ends are 25 values from `low` to
/// `high`.
double best_on_grid(SearchedMethod method, double low, double high, bool exponential) {
  constexpr int64_t kValues = 25;
  const Tensor value = at::linspace(low, high, kValues, at::kDouble);
  const Tensor from = value.repeat_interleave(kValues).unsqueeze(1);
  const Tensor to = value.repeat({kValues}).unsqueeze(1);
  const Tensor progress = at::linspace(0, 1, kSmall.iterations, at::kDouble);
  const Tensor lines = from + (to - from) * progress;
  const auto unrolled = method == SearchedMethod::sgd ? unroll_sgd : unroll_apo;
  const Tensor losses = unrolled(kSmall, exponential ? lines.exp() : lines).losses;
  return losses.select(1, kSmall.iterations).nan_to_num(INFINITY).min().item<double>();
}

TEST(ScheduleSearch, NoScheduleOfAGridIsBetter) {
  for (const SearchedMethod method : {SearchedMethod::sgd, SearchedMethod::apo}) {
    const auto found = search_schedules(kSmall, method);
    const bool sgd = method == SearchedMethod::sgd;
    EXPECT_LE(last_loss(found, "exponential"), best_on_grid(method, -6, 3, true));
    EXPECT_LE(last_loss(found, "linear"), best_on_grid(method, sgd ? 0 : -0.36, 2, false));
    if (sgd) continue;
    EXPECT_LE(last_loss(found, "linear_positive"), best_on_grid(method, 0, 2, false));
  }
}

TEST(ScheduleSearch, RicherFamiliesDoNotDoWorse) {
  const std::vector<std::pair<std::string, std::string>> poorer_and_richer = {
      {"fixed", "linear"}, {"fixed", "exponential"}, {"exponential", "optimal"}};
  for (const SearchedMethod method : {SearchedMethod::sgd, SearchedMethod::apo}) {
    const auto found = search_schedules(kSmall, method);
    for (const auto& [poorer, richer] : poorer_and_richer) {
      EXPECT_LT(last_loss(found, richer), last_loss(found, poorer)) << richer;
    }
  }
}

TEST(ScheduleSearch, NoSingleRateOfTheOptimalScheduleCanBeImproved) {
  const FoundSchedule optimal = search_schedules(kSmall, SearchedMethod::sgd).back();
  const Tensor rates = optimal.schedule.unsqueeze(0).clone().requires_grad_();
  const Tensor loss = unroll_sgd(kSmall, rates).losses[0][-1].log();
  const Tensor slope = torch::autograd::grad({loss}, {rates})[0] * rates;  // of log η
  EXPECT_LT(slope.abs().max().item<double>(), 1e-6);
}

TEST(UnrolledApo, WhereTheObjectiveHasNoMinimumNothingIsFinite) {
  const UnrolledRuns below = unroll_apo(kSmall, constant(-1));  // H is 1 at most
  EXPECT_FALSE(below.losses[0][-1].isfinite().item<bool>());
}

}  // namespace
}  // namespace apo
