#include "apo/tuning/rate_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>

#include <cmath>
#include <limits>

#include "apo/base/guards.h"
#include "apo/update/observe.h"

namespace apo {
namespace {

constexpr int kPerDecade = 4;
constexpr double kSmallestRate = 1e-8;
/// By fewer examples no rate is judged: what one of them needs is bad for the next.
constexpr int64_t kEnoughExamples = 32;

double power_of_ten(int quarters) {
  return std::pow(10, static_cast<double>(quarters) / kPerDecade);
}

/// From 1e-8 to 1e2 times as much.
TensorList multiples_of(const Tensor& rates) {
  TensorList multiples;
  for (int q = -8 * kPerDecade; q <= 2 * kPerDecade; ++q) {
    multiples.push_back(rates * power_of_ten(q));
  }
  return multiples;
}

double value_at(ProximalObjective& objective, const Hyperparameters& phi, const Tensor& rates) {
  return objective.value(phi.values_with({phi.index("learning_rate")}, {rates}));
}

/// The candidate with the smallest J; the first where none is finite.
Tensor minimiser(ProximalObjective& objective,
                 const Hyperparameters& phi,
                 const TensorList& candidates,
                 const Poll& interrupted) {
  Tensor best = candidates.front();
  double smallest = std::numeric_limits<double>::infinity();
  for (const Tensor& rates : candidates) {
    if (interrupted()) break;
    const double value = value_at(objective, phi, rates);
    if (value < smallest) {  // false for NaN
      smallest = value;
      best = rates;
    }
  }
  return best;
}

}  // namespace

Batch joined(const Batch& one, const Batch& other) {
  const auto both = [](const Tensor& a, const Tensor& b) {
    return a.defined() ? at::cat({a, b}) : a;
  };
  Batch whole{both(one.inputs, other.inputs),
              both(one.targets, other.targets),
              both(one.weights, other.weights)};
  if (one.of == 0) return whole;
  const auto weight_of = [](const Batch& x) {
    return x.weights.defined() ? x.weights.sum() : x.share.new_full({}, x.inputs.size(0));
  };
  // A part of the share s of a whole weighs s times the mean part of that.
  const Tensor mean_part = weight_of(one) / one.share + weight_of(other) / other.share;
  whole.of = one.of + other.of;
  whole.share = (weight_of(one) + weight_of(other)) / mean_part;
  return whole;
}

bool has_enough_examples(const Batch& x) {
  return !x.inputs.defined() || x.examples() >= kEnoughExamples;
}

Batch enough_examples(Problem& problem, const Batch& x) {
  if (has_enough_examples(x)) return x;
  Batch enough = x;
  while (!has_enough_examples(enough)) {
    enough = joined(enough, problem.discrepancy_batches->next());
  }
  return enough;
}

double loss_of(Problem& problem, const Batch& x) {
  const at::NoGradGuard no_grad;
  const SwapGuard buffers = kept_buffers(*problem.network);
  return to_double(mean(*problem.group, loss_on(problem, x)));
}

Tensor search_all_rates(ProximalObjective& objective,
                        const Hyperparameters& phi,
                        const Poll& interrupted) {
  const Tensor one = at::ones_like(phi.value(phi.index("learning_rate")));
  return minimiser(objective, phi, multiples_of(one), interrupted);
}

Tensor search_multiples(ProximalObjective& objective,
                        const Hyperparameters& phi,
                        const Tensor& rates) {
  TensorList candidates = multiples_of(rates);
  const auto too_small = [](const Tensor& each) { return to_double(each.max()) < kSmallestRate; };
  std::erase_if(candidates, too_small);
  if (candidates.empty()) return rates;
  return minimiser(objective, phi, candidates, [] { return false; });
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

namespace {

/// Leaves the network drawing what the last step of the trial drew.
bool survives(const StepContext& context,
              const Hyperparameters& phi,
              int64_t steps,
              double limit,
              const Batch& judge) {
  Problem& problem = context.problem;
  TensorList& theta = problem.network->parameters();
  const SwapGuard parameters(theta, clone(theta));
  const SwapGuard buffers = kept_buffers(*problem.network);
  Statistics xi = clone(context.xi);
  TensorList g = context.g;
  for (int64_t t = 1;; ++t) {
    context.rule.step(theta, g, xi, phi.values());
    draw_for_step(problem, context.step + t);
    const Batch x = problem.discrepancy_batches->next();
    const Tensor loss = loss_on(problem, x);
    const double found =
        judge.inputs.defined() ? loss_of(problem, judge) : to_double(mean(*problem.group, loss));
    if (!(found <= limit)) return false;  // so is NaN
    if (t == steps || context.interrupted()) return true;
    g = observe(context.rule, problem, x, loss, xi);
  }
}

}  // namespace

bool survives_trial(const StepContext& context,
                    const Hyperparameters& phi,
                    int64_t steps,
                    double limit,
                    const Batch& judge) {
  const bool survived = survives(context, phi, steps, limit, judge);
  draw_for_step(context.problem, context.step);
  return survived;
}

double harmless_rate(double rate,
                     const StepContext& context,
                     Hyperparameters phi,
                     int64_t steps,
                     double limit,
                     const Batch& judge) {
  for (; rate > kSmallestRate; rate /= 2) {
    phi.set(phi.index("learning_rate"), rate);
    if (survives_trial(context, phi, steps, limit, judge)) return rate;
  }
  return rate;
}

}  // namespace apo
