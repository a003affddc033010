// The movement tuner at a point: a budget for how far steps move the outputs.
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "apo/update/observe.h"
#include "support/quadratic_problem.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;

/// A step that waits at a point, of which any number of meta steps can be taken.
struct Waiting {
  explicit Waiting(const std::string& name, double scale = 1)
      : Waiting(name,
                {scale * at::tensor({3.0, 1.0, 1.0, 2.0}, at::kDouble).view({2, 2}),
                 at::tensor({1.0, -2.0}, at::kDouble)}) {}

  Waiting(const std::string& name, test::QuadraticProblem at)
      : problem(std::move(at)), rule(UpdateRuleChoice(update_rules(), name).make(kSetting)) {
    g = observe(*rule, problem, x, loss, xi);
  }

  void take_meta_steps(Tuner& tuner, int64_t count, int64_t of, int64_t from = 0) {
    for (int64_t step = from; step < from + count; ++step) {
      StepContext context{step, problem, *rule, g, xi, x, loss};
      context.auto_learning_rate = true;
      context.steps = of;
      tuner.before_step(context, phi);
    }
  }

  /// Of the step, as a share of the outputs' size; in the outputs' own unit.
  double movement() const {
    return distance() / detached(problem.network->parameters())[0].norm().item<double>();
  }
  double distance() const {
    return (next()[0] - detached(problem.network->parameters())[0]).norm().item<double>();
  }
  TensorList next() const {
    return rule->propose({detached(problem.network->parameters()), g, xi, Momentum::apply},
                         phi.values());
  }

  test::QuadraticProblem problem;
  std::unique_ptr<UpdateRule> rule;
  Hyperparameters phi{rule->hyperparameters(), {"learning_rate"}, {0}, 1, at::kCPU};
  Statistics xi = rule->initial_statistics(problem.network->parameters());
  Batch x = problem.batches->next();
  Tensor loss = loss_on(problem, x);
  TensorList g;
};

class MovementOf : public testing::TestWithParam<std::string> {};

/// A sum of many steps of noise that each keep μ of the one before: its mean square ÷ what it were
/// of independent ones. By adding up, not by the formula.
double mean_square_of_a_sum(double momentum) {
  double sum = 1;
  for (int k = 1; k < 1000; ++k) sum += 2 * std::pow(momentum, k);
  return sum;
}

const std::set<std::string> kOfMomentum = {"sgdm", "adam", "nadamw"};
const std::set<std::string> kSums = {"sgd", "sgdm"};

/// The outputs of a point are its parameters, so that what moves is known by hand.
TEST_P(MovementOf, IsTheShareOfTheOutputsThatTheBudgetTheRunsLengthAndTheRuleGive) {
  const bool momentum = kOfMomentum.contains(GetParam());
  const double more = 4.0 / 3 * (momentum ? 1 : std::sqrt(mean_square_of_a_sum(0.9)));
  for (const int64_t steps : {100, 800}) {
    Waiting waiting(GetParam());
    const auto tuner = make_movement({.budget = 1, .interval = 1});
    waiting.take_meta_steps(*tuner, steps / 10, steps);
    EXPECT_NEAR(waiting.movement(), more / std::cbrt(steps) / std::cbrt(steps), 1e-9);
  }
}

TEST_P(MovementOf, IsNeverMoreThanTheOutputsSize) {
  Waiting waiting(GetParam());
  waiting.take_meta_steps(*make_movement({.budget = 5, .interval = 1}), 5, 2);
  EXPECT_NEAR(waiting.movement(), 1, 1e-9);
}

TEST_P(MovementOf, RisesInEqualPartsInTheFirstTwentiethOfTheRun) {
  Waiting whole(GetParam());
  whole.take_meta_steps(*make_movement({.budget = 1, .interval = 1}), 20, 100);
  for (const int64_t steps : {1, 2, 3, 4, 5, 6, 7}) {
    Waiting waiting(GetParam());
    waiting.take_meta_steps(*make_movement({.budget = 1, .interval = 1}), steps, 100);
    // The first is seen at a step of a thousandth of the weights.
    EXPECT_NEAR(waiting.movement() / whole.movement(), std::min(1.0, steps / 6.0), 1e-3);
  }
}

/// At θ, with another loss than the quadratic one.
test::QuadraticProblem with(std::unique_ptr<Loss> loss,
                            const Tensor& theta,
                            const Tensor& targets) {
  const Batch batch{at::zeros({1, 1}, at::kDouble), targets};
  test::QuadraticProblem problem(at::eye(theta.size(0), at::kDouble), theta, batch);
  problem.loss = std::move(loss);
  return problem;
}

/// SGDm's velocity keeps such a step for many: of a batch of classes it is the share of all steps.
TEST(MovementTuner, MovesNoBatchOfClassesFartherThanItsShareWithAVelocity) {
  const Tensor theta = at::tensor({3.0, -3.0, 3.0, -3.0}, at::kDouble);
  Waiting waiting("sgdm", with(make_cross_entropy(), theta, at::ones({1}, at::kLong)));
  const auto tuner = make_movement({.budget = 1e3, .interval = 1});
  waiting.take_meta_steps(*tuner, 9, 100);
  for (Tensor& part : waiting.g) part = 1e3 * part;
  for (TensorList& slot : waiting.xi.slots) {
    for (Tensor& part : slot) part = 1e3 * part;
  }
  waiting.take_meta_steps(*tuner, 1, 100, 9);
  EXPECT_NEAR(waiting.distance(), 6, 1e-9);
}

/// A long step towards 0 moves such outputs by less than a short one promises, as those of weights
/// that are normalised.
class Cubes : public test::PointWithBuffer {
 public:
  using test::PointWithBuffer::PointWithBuffer;
  Tensor forward(const Tensor& x) override { return test::PointWithBuffer::forward(x).pow(3); }
};

TEST(MovementTuner, SeesTheStepItselfWithBatchNormAndAShortOneWithout) {
  std::array<double, 2> moved{};
  for (const bool normalises : {false, true}) {
    const Tensor theta = at::tensor({0.5, -0.5}, at::kDouble);
    Waiting waiting("sgd", test::QuadraticProblem(at::eye(2, at::kDouble), theta));
    Network& network = *(waiting.problem.network = std::make_unique<Cubes>(
                             TensorList{theta}, normalises ? "norm.running_var" : "buffer"));
    waiting.take_meta_steps(*make_movement({.budget = 1.9, .interval = 1}), 100, 100);
    const Tensor z = network.forward({});
    const SwapGuard guard(network.parameters(), waiting.next());
    moved[normalises ? 1 : 0] = ((network.forward({}) - z).norm() / z.norm()).item<double>();
  }
  const double share =
      4.0 / 3 * 1.9 * std::pow(100, -2.0 / 3) * std::sqrt(mean_square_of_a_sum(0.9));
  EXPECT_LT(moved[0], 0.9 * share);
  EXPECT_NEAR(moved[1] / share, 1, 0.02);
}

/// Its k is 9 of the others' in the mean over the run so far, not 1e6 of them: rates that one batch
/// has lowered would stay low to the end.
TEST(MovementTuner, CountsABatchThatMovesTheOutputsFarAsThreeTimesTheMeanAtMost) {
  constexpr int64_t kSteps = 200;
  constexpr int64_t kOdd = 60;
  Waiting usual("sgd");
  usual.take_meta_steps(*make_movement({.budget = 1, .interval = 1}), kSteps, kSteps);
  Waiting waiting("sgd");
  const auto tuner = make_movement({.budget = 1, .interval = 1});
  waiting.take_meta_steps(*tuner, kOdd, kSteps);
  const TensorList g = waiting.g;
  for (Tensor& each : waiting.g) each = 1e3 * each;
  waiting.take_meta_steps(*tuner, 1, kSteps, kOdd);
  waiting.g = g;
  waiting.take_meta_steps(*tuner, kSteps - kOdd - 1, kSteps, kOdd + 1);
  EXPECT_NEAR(usual.movement() / waiting.movement(), std::sqrt((kSteps - 1 + 9.0) / kSteps), 1e-9);
}

/// Sums of gradients have 5/3 of the limits; Adam, in deep ones, half of its budget and two thirds
/// of its limit.
TEST_P(MovementOf, IsAnotherWithBatchNorm) {
  const bool sums = kSums.contains(GetParam());
  const bool adam = kOfMomentum.contains(GetParam()) && !sums;
  const auto moved = [&](int64_t norms, double budget) {
    Waiting waiting(GetParam());
    if (norms > 0) {
      waiting.problem.network = std::make_unique<test::PointWithBuffer>(
          clone(waiting.problem.network->parameters()), "running_var", norms);
    }
    waiting.take_meta_steps(*make_movement({.budget = budget, .interval = 1}), 30, 300);
    return waiting.movement();
  };
  for (const int64_t norms : {1, 10, 11}) {
    const bool deep = adam && norms > 10;
    EXPECT_NEAR(moved(norms, 1) / moved(0, 1), deep ? 0.5 : 1, 1e-9) << norms;
    const double limit = deep ? 2.0 / 3 : sums ? 5.0 / 3 : 1;
    EXPECT_NEAR(moved(norms, 1e3) / moved(0, 1e3), limit, 1e-9) << norms;
  }
}

TEST_P(MovementOf, CountsLogitsAsFiveOnAverageAtMostAndIsMoreThanThatWithoutMomentum) {
  for (const double size : {3.0, 30.0, 300.0}) {  // of each logit; the right class is another
    const Tensor theta = at::tensor({size, -size, size, -size}, at::kDouble);
    Waiting waiting(GetParam(), with(make_cross_entropy(), theta, at::ones({1}, at::kLong)));
    waiting.take_meta_steps(*make_movement({.budget = 1e3, .interval = 1}), 9, 100);
    const double share = kOfMomentum.contains(GetParam()) ? 1 : 1.5;
    EXPECT_NEAR(waiting.distance(), share * 2 * std::min(size, 5.0), 1e-9) << size;
  }
}

TEST_P(MovementOf, IsAShareOfTheTargetsSizeInARegression) {
  const Tensor targets = at::tensor({3.0, 4.0}, at::kDouble).view({1, 2});
  for (const double size : {0.1, 100.0}) {
    const Tensor theta = at::tensor({size, -size}, at::kDouble);
    Waiting waiting(GetParam(), with(make_squared_error(), theta, targets));
    waiting.take_meta_steps(*make_movement({.budget = 1e3, .interval = 1}), 12, 100);
    EXPECT_NEAR(waiting.distance(), 5, 1e-9) << size;
  }
}

/// As those of a first batch may be where most are.
TEST_P(MovementOf, FindsTheRateOfARegressionWhoseFirstTargetsAreZeroOnceOthersCome) {
  const Tensor theta = at::tensor({3.0, -1.0}, at::kDouble);
  const Tensor targets = at::zeros({1, 2}, at::kDouble);
  Waiting waiting(GetParam(), with(make_squared_error(), theta, targets));
  const auto tuner = make_movement({.budget = 1e3, .interval = 1});
  waiting.take_meta_steps(*tuner, 1, 100);
  EXPECT_GT(waiting.distance(), 0);
  targets.fill_(1);
  waiting.take_meta_steps(*tuner, 59, 100, 1);
  // The first of sixty sizes is that of the outputs.
  EXPECT_NEAR(waiting.distance(), (std::sqrt(10) + 59 * std::sqrt(2)) / 60, 1e-6);
}

TEST_P(MovementOf, KnowsNoScaleOfTheLoss) {
  Waiting one(GetParam());
  Waiting other(GetParam(), 1e4);
  for (Waiting* each : {&one, &other}) {
    each->take_meta_steps(*make_movement({.budget = 5, .interval = 1}), 9, 100);
  }
  EXPECT_NEAR(one.movement() / other.movement(), 1, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(All,
                         MovementOf,
                         testing::ValuesIn(test::rules_of_points()),
                         test::test_name);

}  // namespace
}  // namespace apo
