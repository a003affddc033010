// The steps that a device takes of all parameters together, beside the sweeps of the CPU, which
// have been held against the formulas.
#include "apo/update/foreach.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <gtest/gtest.h>

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

struct Case {
  StepKind kind;
  bool per_layer;
  bool corrected;
};

class ForeachSteps : public testing::TestWithParam<Case> {
 protected:
  ForeachSteps() {
    const auto [kind, per_layer, corrected] = GetParam();
    const Tensor rate = number(0.1), epsilon = number(0.01);
    const TensorList d = random_arrays(1), other = random_arrays(2);
    for (size_t i = 0; i < d.size(); ++i) {
      const double scale = per_layer ? static_cast<double>(i + 1) : 1;
      ElementwiseStep step{.kind = kind, .direction = d[i], .momentum = 0.9, .decay = 0.03};
      step.rate = per_layer ? rate * scale : rate;
      if (kind != StepKind::plain) step.other = other[i].square();
      if (kind == StepKind::adaptive) step.epsilon = per_layer ? epsilon * scale : epsilon;
      if (corrected) {
        step.mean_correction = number(0.5);
        step.square_correction = number(0.25);
      }
      steps_.push_back(step);
    }
  }
  ElementwiseSteps steps_;
  TensorList theta_ = random_arrays(3);
};

constexpr double kRounding = 1e-13;

TEST_P(ForeachSteps, AreThoseOfSweeps) {
  const TensorList swept = taken(steps_, theta_);
  EXPECT_LT(difference(foreach::taken(steps_, theta_), swept), kRounding);
  foreach
    ::take_in_place(steps_, theta_);
  EXPECT_LT(difference(theta_, swept), kRounding);
}

TEST_P(ForeachSteps, HaveTheSlopesOfSweeps) {
  const TensorList v = random_arrays(4);
  const Slopes swept = slopes(steps_, theta_, v), ours = foreach::slopes(steps_, theta_, v);
  EXPECT_LT((ours.rate - swept.rate).abs().max().item<double>(), kRounding);
  if (GetParam().kind != StepKind::adaptive) return;
  // Sums of up to 270 products over ε + √s, which may be a hundredth.
  EXPECT_LT(((ours.epsilon - swept.epsilon) / swept.epsilon).abs().max().item<double>(), 1e-11);
}

INSTANTIATE_TEST_SUITE_P(All,
                         ForeachSteps,
                         testing::Values(Case{StepKind::plain, false, false},
                                         Case{StepKind::plain, true, false},
                                         Case{StepKind::nesterov, false, false},
                                         Case{StepKind::nesterov, true, false},
                                         Case{StepKind::adaptive, false, false},
                                         Case{StepKind::adaptive, true, false},
                                         Case{StepKind::adaptive, false, true},
                                         Case{StepKind::adaptive, true, true}));

TEST(Foreach, StatisticsAreThoseOfSweeps) {
  const TensorList g = random_arrays(1);
  TensorList swept = random_arrays(2), ours = clone(swept);
  average_squares(swept, g, 0.9);
  foreach
    ::average_squares(ours, g, 0.9);
  EXPECT_LT(difference(ours, swept), kRounding);
  gather(swept, g, 0.9);
  foreach
    ::gather(ours, g, 0.9);
  EXPECT_LT(difference(ours, swept), kRounding);
}

}  // namespace
}  // namespace apo
