// What takes steps in few passes, held against the step's definition.
#include "apo/update/steps.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <string>
#include <tuple>

#include "apo/base/random.h"

namespace apo {
namespace {

TensorList random_arrays(uint64_t seed) {
  at::Generator generator = make_generator(seed, RandomStream::model);
  return {
      at::randn({4, 3}, generator, at::kDouble),
      at::randn({4}, generator, at::kDouble),
      at::randn({6, 5, 3, 3}, generator, at::kDouble).contiguous(at::MemoryFormat::ChannelsLast)};
}

TensorList squares(const TensorList& arrays) {
  TensorList all;
  for (const Tensor& array : arrays) all.push_back(array.square());
  return all;
}

double difference(const TensorList& a, const TensorList& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, (a[i] - b[i]).abs().max().item<double>());
  }
  return largest;
}

Tensor number(double value) {
  return at::scalar_tensor(value, at::kDouble);
}

/// One for all parameters, or x, 2 x, 3 x.
TensorList numbers(double x, bool per_layer) {
  if (per_layer) return {number(x), number(2 * x), number(3 * x)};
  return TensorList(3, number(x));
}

/// kind: plain, nesterov, adaptive, or corrected, which is adaptive with corrections.
ElementwiseStep step_of(const std::string& kind, bool per_layer) {
  ElementwiseStep step{.direction = random_arrays(1),
                       .rate = numbers(0.1, per_layer),
                       .momentum = 0.9,
                       .decay = 0.03,
                       .shrinkage = 0.02};
  if (kind == "nesterov") step.velocity = random_arrays(2);
  if (kind == "adaptive" || kind == "corrected") {
    step.square = squares(random_arrays(2));
    step.epsilon = numbers(0.01, per_layer);
  }
  if (kind == "corrected") {
    step.direction_correction = number(0.5);
    step.square_correction = number(0.25);
    step.schedule = number(0.5);
  }
  return step;
}

TEST(ElementwiseStep, IsTheFormula) {
  // By hand: r = (3 / ½ + 0.5 · 2) / ((8 / ½)^¾ + 2) = 7 / 10;
  // θ′ = 5 − 0.1 (0.7 + 0.2 · 5) − ½ · 0.01 · 5 = 4.805.
  const auto is = [](double value) { return TensorList{number(value)}; };
  const ElementwiseStep step{.direction = is(3),
                             .velocity = is(2),
                             .square = is(8),
                             .rate = is(0.1),
                             .power = is(0.75),
                             .epsilon = is(2),
                             .direction_correction = number(0.5),
                             .square_correction = number(0.5),
                             .momentum = 0.5,
                             .decay = 0.2,
                             .shrinkage = 0.01,
                             .schedule = number(0.5)};
  EXPECT_NEAR(evaluate(step, is(5))[0].item<double>(), 4.805, 1e-15);
}

using Case = std::tuple<std::string, std::string, bool>;  // backend, kind, rates per layer

class StepBackends : public testing::TestWithParam<Case> {
 protected:
  const StepBackend& backend_ =
      std::get<0>(GetParam()) == "sweep" ? sweep_backend() : foreach_backend();
  ElementwiseStep step_ = step_of(std::get<1>(GetParam()), std::get<2>(GetParam()));
  TensorList theta_ = random_arrays(3);
};

constexpr double kRounding = 1e-13;

TEST_P(StepBackends, TakeTheStep) {
  ASSERT_TRUE(backend_.accepts(step_, theta_));
  const TensorList next = evaluate(step_, theta_), before = clone(theta_);
  EXPECT_LT(difference(backend_.taken(step_, theta_), next), kRounding);
  EXPECT_EQ(difference(theta_, before), 0);
  backend_.take_in_place(step_, theta_);
  EXPECT_LT(difference(theta_, next), kRounding);
}

TEST_P(StepBackends, HaveTheSlopesOfItsGraph) {
  const TensorList v = random_arrays(4);
  const Slopes slopes = backend_.slopes(step_, theta_, v);
  for (size_t i = 0; i < theta_.size(); ++i) {
    ElementwiseStep leaf = step_;
    leaf.rate[i] = leaf.rate[i].clone().requires_grad_();
    TensorList leaves = {leaf.rate[i]};
    if (!step_.epsilon.empty()) {
      leaf.epsilon[i] = leaf.epsilon[i].clone().requires_grad_();
      leaves.push_back(leaf.epsilon[i]);
    }
    const TensorList graph = torch::autograd::grad({evaluate(leaf, theta_)[i]}, leaves, {v[i]});
    // Sums of up to 270 products over ε + √s, which may be a hundredth.
    EXPECT_NEAR(
        slopes.rate[static_cast<int64_t>(i)].item<double>(), graph[0].item<double>(), 1e-10);
    if (graph.size() == 1) continue;
    const auto expected = graph[1].item<double>();
    EXPECT_NEAR(slopes.epsilon[static_cast<int64_t>(i)].item<double>(),
                expected,
                1e-11 * std::abs(expected));
  }
}

TEST_P(StepBackends, UpdateStatistics) {
  const TensorList g = random_arrays(1);
  TensorList s = random_arrays(2), v = clone(s), mean = clone(s), sum = clone(s);
  for (size_t i = 0; i < g.size(); ++i) {
    mean[i] = 0.9 * mean[i] + 0.1 * g[i].square();
    sum[i] = 0.9 * sum[i] + g[i];
  }
  backend_.average_squares(s, g, 0.9);
  EXPECT_LT(difference(s, mean), kRounding);
  backend_.gather(v, g, 0.9);
  EXPECT_LT(difference(v, sum), kRounding);
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto& [backend, kind, per_layer] = info.param;
  return backend + "_" + kind + (per_layer ? "_per_layer" : "");
}

INSTANTIATE_TEST_SUITE_P(
    All,
    StepBackends,
    testing::Combine(testing::Values("sweep", "foreach"),
                     testing::Values("plain", "nesterov", "adaptive", "corrected"),
                     testing::Bool()),
    case_name);

/// Whether a step that every backend takes still finds one after a change.
bool has_backend_after(const std::function<void(ElementwiseStep&)>& change) {
  const TensorList theta = random_arrays(3);
  ElementwiseStep step = step_of("corrected", true);
  EXPECT_NE(backend_for(step, theta), nullptr);
  change(step);
  return backend_for(step, theta) != nullptr;
}

TEST(Steps, OnlyTheirDefinitionTakesWhatIsDifferentiatedOrHasAnotherPower) {
  EXPECT_FALSE(has_backend_after([](auto& step) { step.rate[1].requires_grad_(); }));
  EXPECT_FALSE(has_backend_after([](auto& step) { step.epsilon[2].requires_grad_(); }));
  EXPECT_FALSE(has_backend_after([](auto& step) { step.direction[0].requires_grad_(); }));
  EXPECT_FALSE(has_backend_after([](auto& step) { step.power = numbers(0.4, false); }));
  EXPECT_TRUE(has_backend_after([](auto& step) { step.power = numbers(0.5, false); }));
}

TEST(Steps, OnlyTheirDefinitionTakesRatesOfElementsAndArraysOfAnotherOrderOrType) {
  EXPECT_FALSE(has_backend_after([](auto& step) { step.rate[0] = step.direction[0].abs(); }));
  EXPECT_FALSE(has_backend_after([](auto& step) { step.square[2] = step.square[2].contiguous(); }));
  EXPECT_FALSE(
      has_backend_after([](auto& step) { step.square[0] = step.square[0].to(at::kFloat); }));
}

TEST(Steps, SweepsLeaveWhatTheyHaveNoLoopForToTheDefinition) {
  EXPECT_FALSE(has_backend_after([](auto& step) { step.velocity = random_arrays(5); }));
  EXPECT_FALSE(has_backend_after([](auto& step) {
    step.square.clear();
    step.epsilon.clear();
  }));
}

}  // namespace
}  // namespace apo
