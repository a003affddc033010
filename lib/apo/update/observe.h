// What a rule learns of a batch before it can propose a step.
#pragma once

#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// g, as the rule takes it, of the batch's loss at θ; ξ ← statistics updated with it and with the
/// batch's curvature. loss: ℓ(f(x, θ)); frees its graph.
TensorList observe(
    const UpdateRule& rule, Problem& problem, const Batch& x, const Tensor& loss, Statistics& xi);

}  // namespace apo
