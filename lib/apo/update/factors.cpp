#include "apo/update/factors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace apo {
namespace {

/// Eigenvalues below 0 are rounding.
void renew_values(KroneckerFactor& factor) {
  factor.values = (at::matmul(factor.moment, factor.vectors) * factor.vectors).sum(0);
  factor.values.clamp_min_(0);
}

/// False where LAPACK fails: it says so, or, as MKL's in float32 on some processors, returns NaN.
bool decompose_in(at::ScalarType type, KroneckerFactor& factor) {
  try {
    const auto [values, vectors] = at::linalg_eigh(factor.moment.to(type));
    if (!vectors.isfinite().all().item<bool>()) return false;
    factor.values = values.clamp_min(0).to(factor.moment.scalar_type());
    factor.vectors = vectors.to(factor.moment.scalar_type());
    return true;
  } catch (const c10::LinAlgError&) {
    return false;
  }
}

/// In the moment's own type, or where LAPACK fails on that in float64. A moment that is not finite
/// gives a step that is not, which ends the run as diverged.
void decompose(KroneckerFactor& factor) {
  const Tensor& moment = factor.moment;
  if (moment.isfinite().all().item<bool>() &&
      (decompose_in(moment.scalar_type(), factor) || decompose_in(at::kDouble, factor))) {
    return;
  }
  factor.vectors = at::full_like(moment, std::nan(""));
  factor.values = factor.vectors.diagonal().clone();
}

void renew_one(KroneckerFactor& factor, Renewal what) {
  what == Renewal::basis ? decompose(factor) : renew_values(factor);
}

/// Where in a message a factor's λ and, where those are renewed, W are.
struct Place {
  Tensor values;
  Tensor vectors;
};

/// Zeros with a place for each factor: their sum over ranks is what each knows of its own.
std::pair<Tensor, std::vector<Place>> message_for(const std::vector<KroneckerFactor*>& factors,
                                                  Renewal what) {
  const bool with_vectors = what == Renewal::basis;
  int64_t size = 0;
  for (const KroneckerFactor* factor : factors) {
    size += factor->moment.size(0) + (with_vectors ? factor->moment.numel() : 0);
  }
  const Tensor message = at::zeros({size}, factors.front()->moment.options());
  int64_t begin = 0;
  const auto next = [&](at::IntArrayRef sizes) {
    const Tensor place = message.narrow(0, begin, c10::multiply_integers(sizes)).view(sizes);
    begin += place.numel();
    return place;
  };
  std::vector<Place> places;
  places.reserve(factors.size());
  for (const KroneckerFactor* factor : factors) {
    const at::IntArrayRef sizes = factor->moment.sizes();
    Place& place = places.emplace_back();
    place.values = next(sizes.slice(0, 1));
    if (with_vectors) place.vectors = next(sizes);
  }
  return {message, places};
}

/// Of renew(), with several ranks.
void renew_together(const std::vector<KroneckerFactor*>& factors, Renewal what, Group& group) {
  std::vector<double> costs;
  costs.reserve(factors.size());
  for (const KroneckerFactor* factor : factors) {
    costs.push_back(std::pow(static_cast<double>(factor->moment.size(0)), 3));
  }
  const std::vector<int64_t> rank_of = shared_out(costs, group.size());
  auto [message, places] = message_for(factors, what);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (rank_of[i] != group.rank()) continue;
    renew_one(*factors[i], what);
    places[i].values.copy_(factors[i]->values);
    if (what == Renewal::basis) places[i].vectors.copy_(factors[i]->vectors);
  }
  group.sum(message);
  for (size_t i = 0; i < factors.size(); ++i) {
    factors[i]->values = places[i].values.clone();
    if (what == Renewal::basis) factors[i]->vectors = places[i].vectors.clone();
  }
}

}  // namespace

std::vector<int64_t> shared_out(const std::vector<double>& costs, int64_t ranks) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  std::vector<double> loads(static_cast<size_t>(ranks));
  std::vector<int64_t> rank_of(costs.size());
  for (const size_t job : order) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += costs[job];
    rank_of[job] = least - loads.begin();
  }
  return rank_of;
}

void renew(const std::vector<KroneckerFactor*>& factors, Renewal what, Group& group) {
  if (group.size() > 1 && !factors.empty()) return renew_together(factors, what, group);
  for (KroneckerFactor* factor : factors) renew_one(*factor, what);
}

}  // namespace apo
