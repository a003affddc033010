#include "apo/objective/discrepancy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "apo/base/random.h"
#include "support/registry_names.h"

namespace apo {
namespace {

class Discrepancies : public testing::TestWithParam<std::string> {
 protected:
  double between(const Tensor& z_next, const Tensor& z) const {
    return (*discrepancy_)(z_next, z, cross_entropy_).item<double>();
  }

  at::Generator generator_ = make_generator(0, RandomStream::synthetic_data);
  Tensor z_ = at::randn({6, 4}, generator_, at::kDouble);
  Tensor moved_ = at::randn({6, 4}, generator_, at::kDouble);
  Tensor labels_ = at::randint(4, {6}, generator_, at::kLong);
  Batch batch_{{}, labels_};
  std::unique_ptr<Loss> loss_ = make_cross_entropy();
  OutputLoss cross_entropy_{*loss_, batch_};
  std::unique_ptr<Discrepancy> discrepancy_ =
      ChoiceOf<Discrepancy>(discrepancies(), GetParam()).make();
};

TEST_P(Discrepancies, AreZeroForEqualOutputs) {
  EXPECT_NEAR(between(z_, z_), 0, 1e-15);
}

TEST_P(Discrepancies, ArePositiveForAConvexLoss) {
  for (int trial = 0; trial < 20; ++trial) {
    EXPECT_GT(between(z_ + at::randn({6, 4}, generator_, at::kDouble), z_), 0);
  }
}

TEST_P(Discrepancies, AgreeWithTheirSecondOrderExpansion) {
  // Halving a small move must quarter D; the cubic term is of relative size δ.
  const double delta = 1e-3;
  const double whole = between(z_ + delta * moved_, z_);
  const double half = between(z_ + delta / 2 * moved_, z_);
  EXPECT_NEAR(whole / half, 4, 20 * delta);
}

TEST_P(Discrepancies, DoNotKnowLabelSmoothing) {
  // It adds to the loss what is linear in z.
  const auto smoothed = make_cross_entropy({.label_smoothing = 0.3});
  const auto moved = (*discrepancy_)(z_ + moved_, z_, {*smoothed, batch_}).item<double>();
  EXPECT_NEAR(moved, between(z_ + moved_, z_), 1e-14 * (1 + moved));
}

TEST_P(Discrepancies, AreMeansOverTheBatch) {
  const Tensor twice = at::cat({z_, z_});
  const Tensor twice_moved = at::cat({moved_, moved_});
  const Batch batch{{}, at::cat({labels_, labels_})};
  const auto both = (*discrepancy_)(twice + twice_moved, twice, {*loss_, batch}).item<double>();
  EXPECT_NEAR(both, between(z_ + moved_, z_), 1e-14);
}

INSTANTIATE_TEST_SUITE_P(All,
                         Discrepancies,
                         testing::ValuesIn(test::names(discrepancies())),
                         test::test_name);

class OnRandomOutputs : public testing::Test {
 protected:
  at::Generator generator_ = make_generator(1, RandomStream::synthetic_data);
  Tensor z_ = at::randn({5, 3}, generator_, at::kDouble);
  Tensor next_ = at::randn({5, 3}, generator_, at::kDouble);
  Tensor labels_ = at::randint(3, {5}, generator_, at::kLong);
  Batch batch_{{}, labels_};
  std::unique_ptr<Loss> loss_ = make_cross_entropy();
  OutputLoss cross_entropy_{*loss_, batch_};
};

TEST_F(OnRandomOutputs, BregmanOfTheSquaredLossIsTheSquaredDistance) {
  const Batch batch{{}, at::randn({5, 3}, generator_, at::kDouble)};
  const auto loss = make_squared_error();
  const OutputLoss squared{*loss, batch};
  const Tensor bregman = (*make_bregman({}))(next_, z_, squared);
  const Tensor euclidean = (*make_squared_euclidean({}))(next_, z_, squared);
  EXPECT_NEAR(bregman.item<double>(), euclidean.item<double>(), 1e-14);
}

TEST_F(OnRandomOutputs, SecondOrderOfTheCrossEntropyUsesTheSoftmaxsFisherMatrix) {
  // ∇²ℓ = diag(p) − p pᵀ for every label.
  const Tensor p = z_.softmax(1);
  const Tensor hessian = at::diag_embed(p) - at::matmul(p.unsqueeze(2), p.unsqueeze(1));
  const Tensor moved = (next_ - z_).unsqueeze(2);
  const Tensor expected = at::matmul(moved.transpose(1, 2), at::matmul(hessian, moved)).mean();
  const Tensor actual = (*make_second_order({}))(next_, z_, cross_entropy_);
  EXPECT_NEAR(actual.item<double>(), expected.item<double>(), 1e-14);
}

TEST_F(OnRandomOutputs, KlAndBregmanHaveTheSameSecondOrder) {
  // Both are ½ Δᵀ (diag(p) − p pᵀ) Δ to second order; the third is of relative size δ.
  const double delta = 1e-4;
  const Tensor near = z_ + delta * next_;
  const auto second = (*make_second_order({}))(near, z_, cross_entropy_).item<double>();
  for (const auto& discrepancy : {make_kl, make_bregman}) {
    const auto value = (*discrepancy({}))(near, z_, cross_entropy_).item<double>();
    EXPECT_NEAR(2 * value / second, 1, 20 * delta);
  }
}

}  // namespace
}  // namespace apo
