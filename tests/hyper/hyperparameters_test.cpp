#include "apo/hyper/hyperparameters.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

namespace apo {
namespace {

const std::vector<HyperparameterSpec> kSpecs = {
    {"learning_rate", Transform::log, 0.1, Range::above(0)},
    {"power", Transform::identity, 0.5, Range::between(0, 1)},
    {"mix", Transform::logit, 0.3, Range::between(0, 1)},
    {"exponent", Transform::exponent, 0.4, Range::between(0, 1)}};

Hyperparameters two_layers() {
  return {kSpecs, {"learning_rate"}, {0, 0, 1}, 2, at::kCPU};
}

TEST(Hyperparameters, AValueThatIsNotMovedStaysExact) {
  Hyperparameters phi(kSpecs, 1);
  for (size_t h = 0; h < kSpecs.size(); ++h) {
    phi.move(h, phi.stored(h).clone());
    EXPECT_EQ(phi.value(h).item<double>(), kSpecs[h].initial);
  }
}

TEST(Hyperparameters, MovesInTheStoredForm) {
  Hyperparameters phi(kSpecs, 1);
  phi.move(0, phi.stored(0) + 1);
  EXPECT_DOUBLE_EQ(phi.value(0).item<double>(), 0.1 * std::exp(1.0));
  phi.move(1, phi.stored(1) + 0.25);
  EXPECT_DOUBLE_EQ(phi.value(1).item<double>(), 0.75);
}

TEST(Hyperparameters, ALogarithmMovedToInfinityComesBack) {
  Hyperparameters phi(kSpecs, 1);
  const Tensor begin = phi.stored(0).clone();
  for (const double infinity : {-INFINITY, INFINITY}) {
    phi.move(0, at::full_like(begin, infinity));
    const auto value = phi.value(0).item<double>();
    EXPECT_TRUE(std::isfinite(value) && value > 0) << value;
    phi.move(0, begin);
    EXPECT_NEAR(phi.value(0).item<double>(), 0.1, 1e-15);
  }
}

TEST(Hyperparameters, APlainlyStoredValueStaysInItsRange) {
  Hyperparameters phi(kSpecs, 1);
  phi.move(1, phi.stored(1) + 7);
  EXPECT_EQ(phi.value(1).item<double>(), 1);
}

TEST(Hyperparameters, DerivativesOfTheTransformsMatchDifferences) {
  for (size_t h = 0; h < kSpecs.size(); ++h) {
    const Hyperparameters phi(kSpecs, 1);
    Hyperparameters up(kSpecs, 1);
    Hyperparameters down(kSpecs, 1);
    up.move(h, up.stored(h) + 1e-5);
    down.move(h, down.stored(h) - 1e-5);
    const double numeric = (up.value(h) - down.value(h)).item<double>() / 2e-5;
    EXPECT_NEAR(phi.derivative(h).item<double>(), numeric, 1e-9);
  }
}

TEST(Hyperparameters, EachParameterSeesTheValueOfItsLayer) {
  Hyperparameters phi = two_layers();
  Tensor stored = phi.stored(0).clone();
  stored[1] += std::log(2.0);
  phi.move(0, stored);
  EXPECT_EQ(phi.values()[0][0].item<double>(), 0.1);
  EXPECT_EQ(phi.values()[0][1].item<double>(), 0.1);
  EXPECT_DOUBLE_EQ(phi.values()[0][2].item<double>(), 0.2);
}

TEST(Hyperparameters, SettingAValueReachesEveryLayer) {
  Hyperparameters phi = two_layers();
  phi.set(0, 0.7);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(phi.values()[0][i].item<double>(), 0.7);
  EXPECT_DOUBLE_EQ(phi.stored(0)[1].item<double>(), std::log(0.7));
}

TEST(Hyperparameters, EveryLayerCanBeSetAlone) {
  Hyperparameters phi = two_layers();
  phi.set(0, at::tensor({0.3, 0.7}, at::kDouble));
  EXPECT_EQ(phi.values()[0][1].item<double>(), 0.3);
  EXPECT_EQ(phi.values()[0][2].item<double>(), 0.7);
}

/// A matrix per layer that is as wide as its weight.
std::vector<int64_t> square_of_width(const TensorList& layer) {
  return {layer[0].size(1), layer[0].size(1)};
}

TEST(Hyperparameters, AValueWithAShapeIsAnArrayForEachLayerOfASizeThatTheLayerDetermines) {
  const TensorList theta = {at::zeros({5, 2}), at::zeros({5}), at::zeros({3, 4})};
  Hyperparameters phi({{"learning_rate", Transform::log, 0.1, Range::above(0)},
                       {"matrix", Transform::identity, 0.5, Range::any(), square_of_width}},
                      {"learning_rate", "matrix"},
                      {0, 0, 0},
                      1,  // the learning rate is global
                      at::kCPU,
                      {theta, {0, 0, 1}});
  EXPECT_TRUE(phi.is_scalar(0));
  EXPECT_FALSE(phi.is_scalar(1));
  phi.move(1, phi.stored(1) + at::arange(20, at::kDouble));  // 2 · 2 and 4 · 4 elements
  const TensorList& matrices = phi.values()[1];
  EXPECT_EQ(matrices[0].sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(matrices[1].sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(matrices[2].sizes(), (std::vector<int64_t>{4, 4}));
  EXPECT_EQ(matrices[0][1][0].item<double>(), 2.5);
  EXPECT_EQ(matrices[2][1][2].item<double>(), 4 + 6 + 0.5);
  EXPECT_EQ(phi.values()[0][2].item<double>(), 0.1);

  const Hyperparameters copy = phi;
  phi.set(1, 0);
  EXPECT_EQ(copy.values()[1][2][1][2].item<double>(), 10.5);
}

}  // namespace
}  // namespace apo
