#include "apo/study/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace apo {
namespace {

const CircleModel kModel({0.5, 1, 1.5, 2});

TEST(Oracle, TheCurvesCurvatureIsItsSecondDerivativeAtUnitSpeed) {
  constexpr double kTheta = 0.7, kStep = 1e-4;
  const double per_unit = kStep / kModel.speed();
  const Outputs before = kModel.outputs(kTheta - per_unit), at = kModel.outputs(kTheta),
                after = kModel.outputs(kTheta + per_unit);
  double squares = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    squares += std::pow((after[i] - 2 * at[i] + before[i]) / (kStep * kStep), 2);
  }
  EXPECT_NEAR(std::sqrt(squares), kModel.curvature(), 1e-6);
}

TEST(Oracle, MinimisesOverTheWholeCurve) {
  // Against ten times as fine a grid, of which no point is better.
  const Outputs slope(8, 0.3), weights(8, 0.2), z = kModel.outputs(2);
  const auto objective = [&](double theta) {
    const Outputs at = kModel.outputs(theta);
    double sum = 0;
    for (size_t i = 0; i < at.size(); ++i) {
      sum += slope[i] * (at[i] - z[i]) + weights[i] * std::pow(at[i] - z[i], 2);
    }
    return sum;
  };
  const double found = objective(kModel.minimise(slope, weights, z));
  for (int n = 0; n < 40000; ++n) {
    EXPECT_LE(found, objective(n * 4 * 3.14159265358979 / 40000) + 1e-15);
  }
}

TEST(Theorem1, TheSmallestEffectiveGradientStaysBelowItsBoundAlongTheRun) {
  const auto [loss, lambda] = theorem_1_setting(kModel);
  for (const double start : {0.0, 2.5, 5.0, 9.0}) {
    constexpr int kSteps = 200;
    const auto run = projected_gradient_descent(kModel, loss, start, lambda, kSteps);
    double smallest = run.front().effective_gradient;
    for (int t = 1; t <= kSteps; ++t) {
      EXPECT_LE(smallest * smallest, theorem_1_bound(run, lambda, t)) << start << " " << t;
      EXPECT_LE(run[t].loss, run[t - 1].loss + 1e-14);
      smallest = std::min(smallest, run[t].effective_gradient);
    }
    EXPECT_LT(smallest, 1e-6);
  }
}

TEST(Theorem2, TheErrorIsSquaredEachStepUntilItIsRounding) {
  const SeparableLoss loss{.targets = kModel.outputs(1), .with_log_cosh = true};
  constexpr double kRatio = SeparableLoss::kHessianLipschitz / SeparableLoss::kStrength;
  const auto run = proximal_newton(kModel, loss, 1.4, 8);
  size_t k = 0;
  for (; run[k].distance > 1e-7; ++k) {
    EXPECT_LE(run[k + 1].distance, kRatio * run[k].distance * run[k].distance);
  }
  EXPECT_GE(k, 3u);
  EXPECT_LT(run[k].distance, 1e-10);
}

TEST(SeparableLoss, DerivativesAgreeWithFiniteDifferences) {
  const SeparableLoss loss{.targets = {0.2}, .with_log_cosh = true};
  constexpr double kStep = 1e-5;
  for (const double z : {-2.0, 0.1, 1.3}) {
    const double slope = (loss.value({z + kStep}) - loss.value({z - kStep})) / (2 * kStep);
    EXPECT_NEAR(loss.gradient({z})[0], slope, 1e-9);
    const double bend =
        (loss.gradient({z + kStep})[0] - loss.gradient({z - kStep})[0]) / (2 * kStep);
    EXPECT_NEAR(loss.curvature({z})[0], bend, 1e-9);
  }
}

}  // namespace
}  // namespace apo
