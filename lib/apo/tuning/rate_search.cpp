#include "apo/tuning/rate_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>

#include <cmath>
#include <limits>

namespace apo {
namespace {

constexpr int kPerDecade = 4;

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
  const Tensor& like = phi.value(phi.index("learning_rate"));
  TensorList candidates;
  for (int q = -8 * kPerDecade; q <= 2 * kPerDecade; ++q) {
    candidates.push_back(at::full_like(like, power_of_ten(q)));
  }
  return minimiser(objective, phi, candidates);
}

Tensor search_smaller_rates(ProximalObjective& objective, const Hyperparameters& phi) {
  const Tensor& current = phi.value(phi.index("learning_rate"));
  TensorList candidates;
  for (int q = -8 * kPerDecade; q < 0; ++q) candidates.push_back(current * power_of_ten(q));
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

}  // namespace apo
