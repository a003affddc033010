// K-FAC's factors, whose eigendecompositions ranks share.
#pragma once

#include <cstdint>
#include <vector>

#include "apo/base/group.h"
#include "apo/update/update_rule.h"

namespace apo {

/// For each job the rank that does it: the most expensive first, to whoever has the least so far.
/// No rank has more than another by more than its last job. Source: Graham 1969.
std::vector<int64_t> shared_out(const std::vector<double>& costs, int64_t ranks);

enum class Renewal {
  basis,   ///< W and λ from M
  values,  ///< λ alone, as M's along W
};

/// Renews what the factors are decomposed into, each on one rank, which tells all. Where M is not
/// finite, or LAPACK fails on it in float64, too, λ and W are NaN on all ranks.
void renew(const std::vector<KroneckerFactor*>& factors, Renewal what, Group& group);

}  // namespace apo
