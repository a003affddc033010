#include "apo/problem/toy.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/registry_names.h"

namespace apo {
namespace {

double loss_of(Problem& problem, const Batch& x) {
  return loss_on(problem, x).item<double>();
}

void set_parameters(Problem& problem, const TensorList& values) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < values.size(); ++i) problem.network->parameters()[i].copy_(values[i]);
}

std::vector<std::string> toy_names() {
  std::vector<std::string> names = test::names(problems());
  names.erase(names.begin());  // supervised
  return names;
}

class Toys : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Problem> make(uint64_t seed = 1) const {
    return ChoiceOf<Problem, const ProblemSetting&>(problems(), GetParam()).make({.seed = seed});
  }
};

TEST_P(Toys, TheGradientAgreesWithFiniteDifferences) {
  const auto problem = make();
  const Batch x = problem->batches->next();
  const TensorList g = gradient(loss_on(*problem, x), problem->network->parameters());
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < g.size(); ++i) {
    const at::NoGradGuard no_grad;
    Tensor entry = problem->network->parameters()[i].view(-1)[0];
    const double before = entry.item<double>();
    entry.fill_(before + kStep);
    const double above = loss_of(*problem, x);
    entry.fill_(before - kStep);
    const double below = loss_of(*problem, x);
    entry.fill_(before);
    const double slope = g[i].view(-1)[0].item<double>();
    EXPECT_NEAR((above - below) / (2 * kStep), slope, 1e-4 * (1 + std::abs(slope)));
  }
}

TEST_P(Toys, BatchesDependOnSeedStreamAndNumberAlone) {
  const auto problem = make(), twin = make();
  for (int n = 0; n < 3; ++n) {
    const Batch x = problem->batches->next();
    twin->discrepancy_batches->next();  // does not touch the training stream
    EXPECT_EQ(loss_of(*problem, x), loss_of(*twin, twin->batches->next()));
  }
}

TEST_P(Toys, IsARegressionWhoseObjectiveIsEvaluated) {
  const auto problem = make();
  EXPECT_FALSE(problem->loss->has_classes());
  const auto metrics = evaluate(*problem, Part::test);
  ASSERT_TRUE(metrics);
  EXPECT_GT(metrics->loss, 0);
  EXPECT_FALSE(metrics->accuracy);
}

INSTANTIATE_TEST_SUITE_P(All, Toys, testing::ValuesIn(toy_names()), test::test_name);

TEST(Rosenbrock, IsZeroAtItsOptimumAndKnownAtTheStart) {
  const auto problem = make_rosenbrock({}, {});
  EXPECT_DOUBLE_EQ(evaluate(*problem, Part::train)->loss, 625);  // 0² + 100 · 2.5²
  set_parameters(*problem, {at::ones({2}, at::kDouble)});
  EXPECT_EQ(evaluate(*problem, Part::train)->loss, 0);
}

/// The map A, read off the targets of the population batch: y = A x with x = √6 · eₖ.
Tensor map_of(Problem& problem) {
  return problem.batches->next().targets.t() / std::sqrt(6.0);
}

TEST(IllConditionedRegression, ItsMapHasTheConditionAskedFor) {
  const auto problem = make_ill_conditioned_regression({}, {});
  const Tensor s = std::get<1>(at::linalg_svd(map_of(*problem)));
  EXPECT_NEAR(s[0].item<double>(), 1, 1e-12);
  EXPECT_NEAR(s[5].item<double>() * 1e10, 1, 1e-4);  // rounding of A's entries
}

TEST(IllConditionedRegression, ThePopulationLossIsTheSquaredDistanceOfTheMaps) {
  const auto problem = make_ill_conditioned_regression({}, {});
  const Tensor distance =
      map_of(*problem) -
      at::matmul(problem->network->parameters()[1], problem->network->parameters()[0]).detach();
  const double expected = distance.square().sum().item<double>();
  EXPECT_NEAR(loss_of(*problem, problem->batches->next()), expected, 1e-12);
  EXPECT_NEAR(evaluate(*problem, Part::train)->loss, expected, 1e-12);
}

TEST(IllConditionedRegression, LossesOfDrawnExamplesHaveThePopulationMean) {
  const auto problem =
      make_ill_conditioned_regression({.examples = 20000, .batch_size = 20000}, {});
  const double drawn = loss_of(*problem, problem->batches->next());
  EXPECT_NEAR(drawn / evaluate(*problem, Part::train)->loss, 1, 0.05);
}

TEST(NoisyQuadratic, IsKnownAtTheStartInBothConventions) {
  // Σ h = n (0.01 + 1) / 2; f = s · 100² · Σ h.
  const double sum = 1000 * 1.01 / 2;
  const auto halved = make_noisy_quadratic({}, {}),
             whole = make_noisy_quadratic({.halved = false}, {});
  EXPECT_NEAR(evaluate(*halved, Part::train)->loss, 0.5e4 * sum, 1e-6);
  EXPECT_NEAR(evaluate(*whole, Part::train)->loss, 1e4 * sum, 1e-6);
}

TEST(NoisyQuadratic, TheCentresVarianceIsTheInverseCurvature) {
  // E[h c²] = 1; over 1000 · 50 draws its mean deviates by √(2 / 50000) = .006.
  const auto problem = make_noisy_quadratic({}, {});
  const Tensor h = at::linspace(0.01, 1, 1000, at::kDouble);
  double sum = 0;
  for (int n = 0; n < 50; ++n) {
    sum += (h * problem->batches->next().targets.square()).mean().item<double>();
  }
  EXPECT_NEAR(sum / 50, 1, 0.03);
}

}  // namespace
}  // namespace apo
