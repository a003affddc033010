#include "apo/study/schedule_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "apo/update/update_rule.h"

namespace apo {
namespace {

Tensor curvatures(const NoisyQuadraticStudy& study) {
  return at::linspace(study.lowest_curvature, 1, study.dimension, at::kDouble);
}

/// Runs the recursion with η = rate(t, m): [R, 1] from [R, dimension].
template <class Rate>
UnrolledRuns unroll(const NoisyQuadraticStudy& study, int64_t rows, Rate rate) {
  const Tensor h = curvatures(study);
  Tensor m = at::full({rows, study.dimension}, study.start * study.start, at::kDouble);
  TensorList losses = {at::matmul(m, h) / 2}, rates;
  for (int64_t t = 0; t < study.iterations; ++t) {
    const Tensor eta = rate(t, m);
    m = (1 - eta * h).square() * m + eta.square() * h;
    losses.push_back(at::matmul(m, h) / 2);
    rates.push_back(eta.squeeze(1));
  }
  return {at::stack(losses, 1), at::stack(rates, 1)};
}

/// The families' numbers: logarithms, so that schedules are positive.
class Families {
 public:
  Families(int64_t iterations, double start)
      : progress_(at::linspace(0, 1, iterations, at::kDouble)) {
    for (const int64_t size : {int64_t{1}, int64_t{2}, int64_t{2}, iterations}) {
      numbers_.push_back(at::full({size}, std::log(start), at::kDouble).requires_grad_());
    }
  }
  TensorList& numbers() { return numbers_; }

  /// [families, iterations].
  Tensor schedules() const {
    const Tensor linear = numbers_[1].exp();
    const Tensor exponential = numbers_[2];
    return at::stack({numbers_[0].exp().expand_as(progress_),
                      linear[0] + (linear[1] - linear[0]) * progress_,
                      (exponential[0] + (exponential[1] - exponential[0]) * progress_).exp(),
                      numbers_[3].exp()});
  }

 private:
  Tensor progress_;
  TensorList numbers_;
};

}  // namespace

UnrolledRuns unroll_sgd(const NoisyQuadraticStudy& study, const Tensor& learning_rates) {
  return unroll(study, learning_rates.size(0), [&](int64_t t, const Tensor&) {
    return learning_rates.narrow(1, t, 1);
  });
}

UnrolledRuns unroll_apo(const NoisyQuadraticStudy& study, const Tensor& lambdas) {
  const Tensor h = curvatures(study);
  return unroll(study, lambdas.size(0), [&](int64_t t, const Tensor& m) {
    const Tensor squares = h * (h * m + 1);  // E[g²]
    const Tensor sum = squares.sum(1, true);
    return sum / (at::matmul(squares, h).unsqueeze(1) + 2 * lambdas.narrow(1, t, 1) * sum);
  });
}

UnrolledRuns unroll_greedy(const NoisyQuadraticStudy& study) {
  const Tensor h = curvatures(study);
  return unroll(study, 1, [&](int64_t, const Tensor& m) {
    return (h.square() * m).sum(1, true) / (h.square() * (h * m + 1)).sum(1, true);
  });
}

const std::vector<std::string>& schedule_families() {
  static const std::vector<std::string> families = {"fixed", "linear", "exponential", "optimal"};
  return families;
}

FoundSchedules search_schedules(const NoisyQuadraticStudy& study,
                                SearchedMethod method,
                                int64_t adam_steps,
                                double adam_learning_rate) {
  const auto unrolled = method == SearchedMethod::sgd ? unroll_sgd : unroll_apo;
  Families families(study.iterations, 0.1);
  TensorList& numbers = families.numbers();
  const auto rule = make_adam({}, {.learning_rate = adam_learning_rate});
  const Hyperparameters phi(rule->hyperparameters(), numbers.size());
  Statistics xi = rule->initial_statistics(numbers);
  for (int64_t n = 0; n < adam_steps; ++n) {
    // The rows share nothing, so that the sum's gradient is every family's own. Of the logarithm,
    // for the losses differ by orders of magnitude, and so does one during its search.
    const Tensor last = unrolled(study, families.schedules()).losses.select(1, study.iterations);
    const TensorList g = torch::autograd::grad({last.log().sum()}, numbers);
    const at::NoGradGuard no_grad;
    rule->observe(g, xi);
    step(*rule, numbers, g, xi, phi.values());
  }
  const at::NoGradGuard no_grad;
  const Tensor schedules = families.schedules();
  return {schedules, unrolled(study, schedules)};
}

}  // namespace apo
