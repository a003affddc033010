#include "apo/tuning/rate_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>

#include <cmath>
#include <limits>

#include "apo/base/guards.h"
#include "apo/update/observe.h"

namespace apo {
namespace {

constexpr int kPerDecade = 4;
constexpr double kSmallestRate = 1e-8;

double power_of_ten(int quarters) {
  return std::pow(10, static_cast<double>(quarters) / kPerDecade);
}

double value_at(ProximalObjective& objective, const Hyperparameters& phi, const Tensor& rates) {
  return objective.value(phi.values_with({phi.index("learning_rate")}, {rates}));
}

/// The candidate with the smallest J; the first where none is finite.
Tensor minimiser(ProximalObjective& objective,
                 const Hyperparameters& phi,
                 const TensorList& candidates) {
  Tensor best = candidates.front();
  double smallest = std::numeric_limits<double>::infinity();
  for (const Tensor& rates : candidates) {
    const double value = value_at(objective, phi, rates);
    if (value < smallest) {  // false for NaN
      smallest = value;
      best = rates;
    }
  }
  return best;
}

}  // namespace

Tensor search_all_rates(ProximalObjective& objective, const Hyperparameters& phi) {
  return search_multiples(objective, phi, at::ones_like(phi.value(phi.index("learning_rate"))));
}

Tensor search_multiples(ProximalObjective& objective,
                        const Hyperparameters& phi,
                        const Tensor& rates) {
  TensorList candidates;
  for (int q = -8 * kPerDecade; q <= 2 * kPerDecade; ++q) {
    candidates.push_back(rates * power_of_ten(q));
  }
  return minimiser(objective, phi, candidates);
}

bool is_near_minimum(ProximalObjective& objective,
                     const Hyperparameters& phi,
                     const Tensor& rates) {
  const double here = value_at(objective, phi, rates);
  const auto larger = [&](double factor) {
    return !(value_at(objective, phi, rates * factor) <= here);  // not finite is larger, too
  };
  return std::isfinite(here) && larger(0.1) && larger(10);
}

bool survives_trial(const StepContext& context,
                    const Hyperparameters& phi,
                    int64_t steps,
                    double limit) {
  Problem& problem = context.problem;
  TensorList& theta = problem.parameters();
  const SwapGuard parameters(theta, clone(theta));
  const SwapGuard buffers(problem.buffers(), clone(problem.buffers()));
  Statistics xi = clone(context.xi);
  TensorList g = context.g;
  for (int64_t t = 1;; ++t) {
    context.rule.step(theta, g, xi, phi.values());
    const Batch x = problem.next_discrepancy_batch();
    const Tensor loss = problem.loss(problem.outputs(x), x);
    if (!(to_double(loss) <= limit)) return false;  // so is NaN
    if (t == steps) return true;
    g = observe(context.rule, problem, x, loss, xi);
  }
}

double harmless_rate(
    double rate, const StepContext& context, Hyperparameters phi, int64_t steps, double limit) {
  for (; rate > kSmallestRate; rate /= 2) {
    phi.set(phi.index("learning_rate"), rate);
    if (survives_trial(context, phi, steps, limit)) return rate;
  }
  return rate;
}

}  // namespace apo
