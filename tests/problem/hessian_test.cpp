#include "apo/problem/hessian.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "apo/base/guards.h"
#include "support/quadratic_problem.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

TensorList gradient_at(test::TinyProblem& problem, const Batch& x, const TensorList& theta) {
  const SwapGuard moved(problem.network->parameters(), theta);
  return gradient(loss_on(problem, x), problem.network->parameters());
}

TEST(HessianVectorProduct, MatchesCentralDifferencesOfTheGradient) {
  test::TinyProblem problem;
  const Batch x = problem.batches->next();
  const TensorList theta = clone(problem.network->parameters());
  at::Generator generator = make_generator(7, RandomStream::model);
  TensorList v, forward, backward;
  // Truncation is O(δ²), rounding 1e-16 / δ: both near 1e-10 at δ = 1e-5.
  const double delta = 1e-5;
  for (const Tensor& parameter : theta) {
    v.push_back(at::randn(parameter.sizes(), generator, at::kDouble));
    forward.push_back(parameter + delta * v.back());
    backward.push_back(parameter - delta * v.back());
  }
  const TensorList product = hessian_vector_product(problem, x, v);
  const TensorList ahead = gradient_at(problem, x, forward);
  const TensorList behind = gradient_at(problem, x, backward);
  for (size_t i = 0; i < v.size(); ++i) {
    const Tensor numeric = (ahead[i] - behind[i]) / (2 * delta);
    EXPECT_LT((product[i] - numeric).abs().max().item<double>(), 1e-8) << i;
    EXPECT_GT(numeric.abs().max().item<double>(), 1e-3) << i;
  }
}

TEST(HessianVectorProduct, OfAQuadraticIsItsMatrixTimesTheVector) {
  const Tensor hessian = at::tensor({2.0, 0.5, 0.5, 1.0}, at::kDouble).view({2, 2});
  test::QuadraticProblem problem(hessian, at::tensor({1.0, -3.0}, at::kDouble));
  const Tensor product =
      hessian_vector_product(problem, {}, {at::tensor({4.0, 2.0}, at::kDouble)})[0];
  EXPECT_EQ(product[0].item<double>(), 9);
  EXPECT_EQ(product[1].item<double>(), 4);
}

TEST(HessianVectorProduct, LeavesParametersAndBuffersUntouched) {
  test::TinyProblem problem;
  const Batch x = problem.batches->next();
  const TensorList theta = clone(problem.network->parameters());
  const TensorList buffers = clone(problem.network->buffers());
  hessian_vector_product(problem, x, theta);
  for (size_t i = 0; i < theta.size(); ++i) {
    EXPECT_TRUE(at::equal(problem.network->parameters()[i], theta[i]));
    EXPECT_FALSE(problem.network->parameters()[i].grad().defined());
  }
  EXPECT_TRUE(at::equal(problem.network->buffers()[0], buffers[0]));
}

}  // namespace
}  // namespace apo
