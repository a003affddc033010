// φ as a run begins with it: the rule's hyperparameters in the space that the tuner moves.
#pragma once

#include <string>
#include <vector>

#include "apo/hyper/hyperparameters.h"
#include "apo/problem/problem.h"
#include "apo/tuning/tuner.h"
#include "apo/update/update_rule.h"

namespace apo {

/// The values that the rule is configured with, in one group or, per layer, in one for each.
Hyperparameters initial_hyperparameters(const UpdateRule& rule,
                                        const Tuner& tuner,
                                        const Problem& problem);

/// "<name>", or "<name>/<layer>" for each layer where there are groups: [k][group] in a row, of
/// those that are traced.
std::vector<std::string> names_of_tuned(const Hyperparameters& phi, const Problem& problem);

}  // namespace apo
