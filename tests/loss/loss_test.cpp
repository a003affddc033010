#include "apo/loss/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "apo/base/error.h"

namespace apo {
namespace {

constexpr int64_t kBatch = 4;
constexpr int64_t kSteps = 3;
constexpr int64_t kOutputs = 5;

/// Both losses, on a sequence for each example.
class Losses : public testing::TestWithParam<bool> {
 protected:
  at::Generator generator_ = make_generator(0, RandomStream::synthetic_data);
  bool classes_ = GetParam();
  std::unique_ptr<Loss> loss_ = classes_ ? make_cross_entropy() : make_squared_error();
  Tensor z_ = at::randn({kBatch, kSteps, kOutputs}, generator_, at::kDouble);
  Tensor y_ = classes_ ? at::randint(kOutputs, {kBatch, kSteps}, generator_, at::kLong)
                       : at::randn({kBatch, kSteps, kOutputs}, generator_, at::kDouble);

  /// Of one position, from the definition.
  double at_position(int64_t b, int64_t t) const {
    if (!classes_) return (z_[b][t] - y_[b][t]).square().sum().item<double>();
    return -z_[b][t].log_softmax(0)[y_[b][t].item<int64_t>()].item<double>();
  }
};

TEST_P(Losses, AreMeansOverThePositionsOfSequences) {
  double sum = 0;
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t t = 0; t < kSteps; ++t) sum += at_position(b, t);
  }
  EXPECT_NEAR(
      loss_->value(z_, {{}, y_}).item<double>(), sum / static_cast<double>(kBatch * kSteps), 1e-14);
}

TEST_P(Losses, WeighExamplesAndPositions) {
  const Tensor of_examples = at::tensor({1.0, 0.0, 2.0, 0.5}, at::kDouble);
  const Tensor of_positions =
      at::randint(0, 3, {kBatch, kSteps}, generator_, at::kLong).to(at::kDouble);
  for (const Tensor& weights : {of_examples, of_positions}) {
    double sum = 0;
    double total = 0;
    for (int64_t b = 0; b < kBatch; ++b) {
      for (int64_t t = 0; t < kSteps; ++t) {
        const auto w = (weights.dim() == 1 ? weights[b] : weights[b][t]).item<double>();
        sum += w * at_position(b, t);
        total += w;
      }
    }
    EXPECT_NEAR(loss_->value(z_, {{}, y_, weights}).item<double>(), sum / total, 1e-14);
  }
}

TEST_P(Losses, OfWeightOneAreThoseWithoutWeights) {
  const Tensor ones = at::ones({kBatch}, at::kDouble);
  EXPECT_NEAR(loss_->value(z_, {{}, y_, ones}).item<double>(),
              loss_->value(z_, {{}, y_}).item<double>(),
              1e-14);
}

TEST_P(Losses, SampledTargetsHaveTheFormOfTargets) {
  const Tensor drawn = loss_->sampled_targets(z_, generator_);
  EXPECT_EQ(drawn.sizes(), y_.sizes());
  EXPECT_EQ(drawn.scalar_type(), y_.scalar_type());
}

INSTANTIATE_TEST_SUITE_P(All, Losses, testing::Bool());

class LabelSmoothing : public testing::Test {
 protected:
  at::Generator generator_ = make_generator(2, RandomStream::synthetic_data);
  Tensor z_ = at::randn({kBatch, kSteps, kOutputs}, generator_, at::kDouble);
  Batch x_{{}, at::randint(kOutputs, {kBatch, kSteps}, generator_, at::kLong)};
  std::unique_ptr<Loss> smoothed_ = make_cross_entropy({.label_smoothing = 0.1});
  std::unique_ptr<Loss> plain_ = make_cross_entropy();
};

TEST_F(LabelSmoothing, GivesAShareOfTheTargetToAllClasses) {
  const Tensor log_p = z_.log_softmax(-1);
  const Tensor right = log_p.gather(-1, x_.targets.unsqueeze(-1)).squeeze(-1);
  const Tensor each = -0.9 * right - 0.1 * log_p.mean(-1);
  EXPECT_NEAR(smoothed_->value(z_, x_).item<double>(), each.mean().item<double>(), 1e-14);
  x_.weights = at::tensor({1.0, 0.0, 2.0, 0.5}, at::kDouble);
  EXPECT_NEAR(smoothed_->value(z_, x_).item<double>(),
              ((each.mean(1) * x_.weights).sum() / 3.5).item<double>(),
              1e-14);
}

TEST_F(LabelSmoothing, EqualsLibTorchs) {
  const Tensor theirs = at::cross_entropy_loss(
      z_.flatten(0, 1), x_.targets.flatten(), {}, at::Reduction::Mean, -100, 0.1);
  EXPECT_EQ(smoothed_->value(z_, x_).item<double>(), theirs.item<double>());
}

TEST_F(LabelSmoothing, IsNotInThePlainValue) {
  const auto plain = plain_->value(z_, x_).item<double>();
  EXPECT_EQ(smoothed_->plain_value(z_, x_).item<double>(), plain);
  EXPECT_EQ(plain_->plain_value(z_, x_).item<double>(), plain);
  EXPECT_NE(smoothed_->value(z_, x_).item<double>(), plain);
}

TEST(CrossEntropy, CountsThePositionsThatItClassifiesRightly) {
  const Tensor z = at::tensor({0, 1, 2, 1, 0, 3, 0, -1}, at::kDouble).view({2, 2, 2});
  const Tensor y = at::tensor({1, 1, 1, 0}, at::kLong).view({2, 2});
  EXPECT_EQ(make_cross_entropy()->correct(z, {{}, y}).item<int64_t>(), 3);
  EXPECT_FALSE(make_squared_error()->correct(z, {{}, z}).defined());
}

// −∂² ln p(y|z) = 2 I for p ∝ exp(−‖z − y‖²), whose gradients 2 (z − y) have that second moment
// where y has variance ½. 30,000 draws: the mean of squares of N(0, 2) has deviation
// 2 √(2 / 30,000) = .016; four of them.
TEST(SquaredError, SampledTargetsGiveTheFisherMatrix) {
  at::Generator generator = make_generator(1, RandomStream::synthetic_data);
  const Tensor z = at::randn({30'000, 1}, generator, at::kDouble);
  const Tensor y = make_squared_error()->sampled_targets(z, generator);
  EXPECT_NEAR((2 * (z - y)).square().mean().item<double>(), 2, 0.064);
}

TEST(SquaredError, TakesNoOutputsOfAnotherShapeThanTheTargets) {
  const Tensor y = at::ones({4, 2});
  for (const Tensor& z : {at::ones({1, 2}), at::ones({2}), at::ones({4, 1}), at::ones({4, 2, 1})}) {
    EXPECT_THROW(make_squared_error()->value(z, {{}, y}), Error) << z.sizes();
  }
  EXPECT_EQ(make_squared_error()->value(y, {{}, y}).item<float>(), 0);
}

}  // namespace
}  // namespace apo
