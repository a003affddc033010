// What a rule learns of a batch before it can propose a step.
#pragma once

#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// g min(1, c / ‖g‖), with the norm over all parameters and c the bound; g itself for c = 0. Looks
/// at no number on the host. Source: Pascanu et al. 2013.  Differs from
/// torch::nn::utils::clip_grad_norm_, which adds 1e-6 to the norm.
TensorList clipped(TensorList g, double bound);

/// g, shortened to r times the root mean square of ‖g‖ over the gradients that ξ has observed,
/// themselves so shortened; the first twenty are not. g itself for r = 0. ξ's mean square ← with g.
/// Kin to AutoClip, Seetharaman et al. 2020, which takes a percentile of the norms so far and keeps
/// them all.
TensorList without_outlier(TensorList g, double r, Statistics& xi);

/// The same for r > 0 without a look at any number on the host, as a GPU wants it. On a CPU these
/// operations would take as long as a small network's gradient.
TensorList without_outlier_unseen(TensorList g, double r, Statistics& xi);

/// g, as the rule takes it, of the batch's loss at θ: clipped, then with coupled decay; ξ ←
/// statistics updated with it and with the batch's curvature. loss: ℓ(f(x, θ)); frees its graph.
TensorList observe(
    const UpdateRule& rule, Problem& problem, const Batch& x, const Tensor& loss, Statistics& xi);

}  // namespace apo
