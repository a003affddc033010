// Whether a network that comes from outside fits its data.
#pragma once

#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// Tries the network, of a script, on one example. `outputs`: of a position; `classes`: the targets
/// are such. Throws Error(config) where it cannot take the example, gives another shape than the
/// loss compares with, or has a rule that wants to see its layers.
void require_fit(Problem& problem, const UpdateRule& rule, int64_t outputs, bool classes);

}  // namespace apo
