#include "apo/study/schedule_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/lbfgs.h>

#include <functional>
#include <limits>
#include <map>

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

/// From the first number at the first iteration to the last at the last.
Tensor line(const Tensor& numbers, int64_t iterations) {
  const Tensor progress = at::linspace(0, 1, iterations, at::kDouble);
  return numbers[0] + (numbers[-1] - numbers[0]) * progress;
}

Tensor ends(const Tensor& schedule) {
  return at::stack({schedule[0], schedule[-1]});
}

/// Schedules of some numbers, which may be any.
struct Family {
  std::string name;
  std::string start;  // the family, searched before, whose schedule the search starts from
  std::function<Tensor(const Tensor& numbers, int64_t iterations)> schedule;
  std::function<Tensor(const Tensor& schedule)> numbers;
  bool of_lambda_only = false;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"fixed",
       "",
       [](const Tensor& x, int64_t iterations) { return x.exp().expand({iterations}); },
       [](const Tensor& s) { return s.slice(0, 0, 1).log(); }},
      {"linear", "fixed", line, ends},
      {"linear_positive",
       "fixed",
       [](const Tensor& x, int64_t iterations) { return line(x.square(), iterations); },
       [](const Tensor& s) { return ends(s).sqrt(); },
       true},
      {"linear_cut",
       "fixed",
       [](const Tensor& x, int64_t iterations) { return line(x, iterations).clamp_min(0); },
       ends,
       true},
      {"exponential",
       "fixed",
       [](const Tensor& x, int64_t iterations) { return line(x, iterations).exp(); },
       [](const Tensor& s) { return ends(s).log(); }},
      // Squares reach 0, where many of the best λ are, and logarithms do not.
      {"optimal",
       "exponential",
       [](const Tensor& x, int64_t) { return x.square(); },
       [](const Tensor& s) { return s.sqrt(); }}};
  return all;
}

/// L-BFGS on `objective`, until no step improves it. What is not finite counts as a high plateau.
Tensor minimise(const std::function<Tensor(const Tensor&)>& objective,
                const Tensor& start,
                int64_t most_evaluations) {
  constexpr double kPlateau = 1000;
  Tensor x = start.clone().requires_grad_();
  torch::optim::LBFGS optimizer({x},
                                torch::optim::LBFGSOptions()
                                    .max_iter(most_evaluations)
                                    .max_eval(most_evaluations)
                                    .history_size(30)
                                    .tolerance_grad(1e-9)
                                    .tolerance_change(1e-13)
                                    .line_search_fn("strong_wolfe"));
  optimizer.step([&] {
    const at::AutoGradMode with_gradients(true);
    const Tensor value = objective(x);
    Tensor gradient = torch::autograd::grad({value}, {x})[0];
    const bool finite = (value.isfinite() & gradient.isfinite().all()).item<bool>();
    x.mutable_grad() = finite ? gradient : at::zeros_like(x);
    return finite ? value.detach() : at::full_like(value, kPlateau);
  });
  return x.detach();
}

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
    const Tensor curvature =
        at::matmul(squares, h).unsqueeze(1) + 2 * lambdas.narrow(1, t, 1) * sum;
    return at::where(curvature > 0, sum / curvature, std::numeric_limits<double>::infinity());
  });
}

UnrolledRuns unroll_greedy(const NoisyQuadraticStudy& study) {
  const Tensor h = curvatures(study);
  return unroll(study, 1, [&](int64_t, const Tensor& m) {
    return (h.square() * m).sum(1, true) / (h.square() * (h * m + 1)).sum(1, true);
  });
}

std::vector<FoundSchedule> search_schedules(const NoisyQuadraticStudy& study,
                                            SearchedMethod method,
                                            int64_t most_evaluations) {
  constexpr double kFirstStart = 0.1;  // of the fixed schedule, in the middle of what converges
  const auto unrolled = method == SearchedMethod::sgd ? unroll_sgd : unroll_apo;
  std::map<std::string, Tensor> best = {
      {"", at::full({study.iterations}, kFirstStart, at::kDouble)}};
  std::vector<FoundSchedule> found;
  for (const Family& family : families()) {
    if (family.of_lambda_only && method == SearchedMethod::sgd) continue;
    const auto schedule = [&](const Tensor& numbers) {
      return family.schedule(numbers, study.iterations).unsqueeze(0);
    };
    const Tensor numbers =
        minimise([&](const Tensor& x) { return unrolled(study, schedule(x)).losses[0][-1].log(); },
                 family.numbers(best.at(family.start)),
                 most_evaluations);
    const at::NoGradGuard no_grad;
    const UnrolledRuns run = unrolled(study, schedule(numbers));
    best[family.name] = schedule(numbers)[0];
    found.push_back({family.name, best[family.name], run.losses[0], run.learning_rates[0]});
  }
  return found;
}

}  // namespace apo
