// Line searches for the learning rate on the proximal objective, by forward passes alone.
#pragma once

#include "apo/objective/proximal.h"

namespace apo {

/// The minimiser of J over rates from 1e-8 to 1e2, four per decade, the same for every layer.
/// [groups].
Tensor search_all_rates(ProximalObjective& objective, const Hyperparameters& phi);

/// The minimiser of J over rates below the current ones, down to 1e-8 of them, four per decade; the
/// ratios between layers stay. [groups].
Tensor search_smaller_rates(ProximalObjective& objective, const Hyperparameters& phi);

/// Whether J has its minimum within a factor ten of `rates`, [groups]: smaller there than at a
/// tenth and at ten times of them.
bool is_near_minimum(ProximalObjective& objective, const Hyperparameters& phi, const Tensor& rates);

}  // namespace apo
