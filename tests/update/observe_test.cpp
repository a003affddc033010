#include "apo/update/observe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>

#include <cmath>

#include "apo/base/error.h"
#include "apo/base/state.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

TensorList random_gradient() {
  at::Generator generator = make_generator(0, RandomStream::model);
  return {at::randn({4, 3}, generator, at::kDouble), at::randn({7}, generator, at::kDouble)};
}

double norm_of(const TensorList& g) {
  double squares = 0;
  for (const Tensor& of_parameter : g) squares += of_parameter.square().sum().item<double>();
  return std::sqrt(squares);
}

double difference(const TensorList& a, const TensorList& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, (a[i] - b[i]).abs().max().item<double>());
  }
  return largest;
}

TEST(Clipping, EqualsLibTorchs) {
  const TensorList g = random_gradient();  // of norm 4
  for (const double bound : {0.1, 2.0, 100.0}) {
    TensorList parameters = zeros_like(g);
    for (size_t i = 0; i < g.size(); ++i) parameters[i].mutable_grad() = g[i].clone();
    torch::nn::utils::clip_grad_norm_(parameters, bound);
    TensorList theirs;
    theirs.reserve(parameters.size());
    for (const Tensor& parameter : parameters) theirs.push_back(parameter.grad());
    // It divides by 1e-6 more than the norm: 2.5e-7 of elements below 1.
    EXPECT_LT(difference(clipped(g, bound), theirs), 1e-6);
  }
}

TEST(Clipping, ShortensALongGradientToTheBoundAndLeavesOthersToTheBit) {
  const TensorList g = random_gradient();
  EXPECT_NEAR(norm_of(clipped(g, 0.5)), 0.5, 1e-15);
  EXPECT_EQ(difference(clipped(g, 1.001 * norm_of(g)), g), 0);
  EXPECT_EQ(difference(clipped(zeros_like(g), 0.5), zeros_like(g)), 0);
  EXPECT_TRUE(clipped(g, 0)[0].is_same(g[0]));
}

TEST(Clipping, IsOfTheLossAloneAndComesBeforeTheDecay) {
  test::TinyProblem problem;
  const auto rule = make_sgd({}, {.learning_rate = 0.1, .weight_decay = 0.2, .clip_norm = 0.01});
  const TensorList& theta = problem.network->parameters();
  Statistics xi = rule->initial_statistics(theta);
  const Batch x = problem.batches->next();
  const TensorList raw = gradient(loss_on(problem, x), theta);
  ASSERT_GT(norm_of(raw), 0.01);
  TensorList g = observe(*rule, problem, x, loss_on(problem, x), xi);
  for (size_t i = 0; i < g.size(); ++i) {
    g[i] = g[i] - 0.2 * theta[i].detach() - 0.01 / norm_of(raw) * raw[i];
  }
  EXPECT_LT(norm_of(g), 1e-15);
}

/// Of gradients of these norms, what is left of each.
std::vector<double> without_outliers(const std::vector<double>& norms, double r) {
  const TensorList theta = random_gradient();
  Statistics xi(theta);
  Statistics of_unseen(theta);
  std::vector<double> left;
  for (const double norm : norms) {
    TensorList g = theta;
    for (Tensor& each : g) each = norm / norm_of(theta) * each;
    const TensorList unseen = without_outlier_unseen(g, r, of_unseen);
    g = without_outlier(std::move(g), r, xi);
    EXPECT_LE(difference(g, unseen), 1e-14 * norm);
    left.push_back(norm_of(g));
    xi.updates.add_(1);
    of_unseen.updates.add_(1);
  }
  return left;
}

TEST(Clipping, ShortensAnOutlierToSoManyRootMeanSquaresOfTheGradientsSoFar) {
  std::vector<double> norms;
  double squares = 0;
  for (int i = 0; i < 40; ++i) {
    norms.push_back(1 + 0.5 * std::sin(i));
    squares += norms.back() * norms.back();
  }
  norms.insert(norms.end(), {100, 100, 1});
  const std::vector<double> left = without_outliers(norms, 2);
  for (size_t i = 0; i < 40; ++i) EXPECT_NEAR(left[i], norms[i], 1e-14);
  EXPECT_NEAR(left[40], 2 * std::sqrt(squares / 40), 1e-12);
  squares += left[40] * left[40];  // which counts as what is left of it
  EXPECT_NEAR(left[41], 2 * std::sqrt(squares / 41), 1e-12);
  EXPECT_NEAR(left[42], 1, 1e-14);
}

TEST(Clipping, TakesNoGradientForAnOutlierAmongTheFirstTwenty) {
  std::vector<double> norms(19, 1e-3);
  norms.push_back(50);
  EXPECT_NEAR(without_outliers(norms, 2).back(), 50, 1e-12);
}

TEST(Clipping, OfOutliersLeavesGradientsOfNoLengthAndNoneAtAllToTheBit) {
  std::vector<double> norms(30, 0.0);
  for (const double left : without_outliers(norms, 2)) EXPECT_EQ(left, 0);
  const TensorList g = random_gradient();
  Statistics xi(g);
  EXPECT_TRUE(without_outlier(g, 0, xi)[0].is_same(g[0]));
  EXPECT_EQ(difference(without_outlier(g, 2, xi), g), 0);
}

TEST(Clipping, OfOutliersHasNothingToPutBackFromARunOfBeforeThereWasAny) {
  Statistics xi(random_gradient());
  xi.updates.add_(7);
  State before = state_of([&](StateVisitor& visitor) { visit_state(xi, visitor); });
  ASSERT_EQ(before.tensors.erase("gradient_square"), 1);
  Statistics now(random_gradient());
  restore(before, at::kCPU, [&](StateVisitor& visitor) { visit_state(now, visitor); });
  EXPECT_EQ(now.updates.item<double>(), 7);
  EXPECT_EQ(now.gradient_square.item<double>(), 0);
  before.tensors.erase("updates");
  EXPECT_THROW(restore(before, at::kCPU, [&](StateVisitor& visitor) { visit_state(now, visitor); }),
               Error);
}

// θ₁ = θ₀ − η g and ‖g‖ = 0.01: the meta step tunes η on that move, not on the whole gradient's.
TEST(Clipping, IsSeenByTheMetaStepAsByTheBaseStep) {
  ApoOptions options = test::papers();
  options.interval = 1;
  options.lambda = 0;
  options.weight_lambda = 1;
  const auto apo = make_apo(options);
  const auto rule = make_sgd({}, {.learning_rate = 0.1, .clip_norm = 0.01});
  const auto run = test::run(*apo, *rule, {.steps = 1});
  // J = ℓ(θ′) + ½ ‖θ′ − θ‖², so that J − ℓ(θ′) = ½ (0.1 · 0.01)².
  const MetaRecord& meta = run->trace.metas.front();
  EXPECT_NEAR(meta.objective - meta.loss_term, 0.5e-6, 1e-15);
  TensorList moved = run->problem.network->parameters();
  const test::TinyProblem untrained;
  for (size_t i = 0; i < moved.size(); ++i) {
    moved[i] = moved[i].detach() - untrained.network->parameters()[i].detach();
  }
  EXPECT_NEAR(norm_of(moved), 0.01 * run->trace.rates()[0], 1e-15);
}

}  // namespace
}  // namespace apo
