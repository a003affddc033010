#include "apo/update/factors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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

/// What one rank has and of which the others have zeros, to all of them. LAPACK's matrices lie by
/// columns.
void give(Tensor& t, Group& group) {
  t = t.contiguous();
  group.begin_sum(t);
}

/// Of renew(), with several ranks.
void renew_together(const std::vector<KroneckerFactor*>& factors, Renewal what, Group& group) {
  std::vector<double> costs;
  costs.reserve(factors.size());
  for (const KroneckerFactor* factor : factors) {
    costs.push_back(std::pow(static_cast<double>(factor->moment.size(0)), 3));
  }
  const std::vector<int64_t> rank_of = shared_out(costs, group.size());
  for (size_t i = 0; i < factors.size(); ++i) {
    KroneckerFactor& factor = *factors[i];
    if (rank_of[i] == group.rank()) {
      renew_one(factor, what);
    } else {
      factor.values = at::zeros({factor.moment.size(0)}, factor.moment.options());
      if (what == Renewal::basis) factor.vectors = at::zeros_like(factor.moment);
    }
    give(factor.values, group);
    if (what == Renewal::basis) give(factor.vectors, group);
  }
  group.finish_sums();
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
