// J along the step, to second order in the learning rates.
#pragma once

#include "apo/objective/proximal.h"

namespace apo {

/// With one rate for each of G groups and z̃(η) = f(x̃, θ) + Σ_l η_l u_l, where u_l = ∂f/∂θ ∂θ′/∂η_l
/// is how the l-th rate moves the outputs,
///     J(η) ≈ J(0) − aᵀη + ½ ηᵀ (H + P) η
/// All of it is float64, on θ's device.
struct QuadraticTerms {
  Tensor descent;  ///< a, of the batch that made the step, whose noise it contains: [G]
  Tensor held_out;  ///< −uᵀ ∇ℓ(z̃): the same of the other batch, which has not made the step: [G]
  Tensor curvature;    ///< H = uᵀ ∇²ℓ(z̃) u; of the linear h 0: [G, G]
  Tensor discrepancy;  ///< K, of D in η at 0: [G, G]
  Tensor proximal;     ///< P = λ K + λ_w diag ‖∂θ′/∂η_l‖²: [G, G]
};

/// By a forward pass of x̃ for each group, differentiated forwards; x is looked at again where its
/// gradient is clipped. Leaves parameters and buffers as they were, to the bit. Differs from J: the
/// loss's curvature is that of the outputs alone (the Gauss-Newton matrix's), and on x̃.
QuadraticTerms quadratic_terms(const PendingStep& step,
                               const Discrepancy& discrepancy,
                               const ProximalOptions& options,
                               const Hyperparameters& phi);

/// argmin_{η ≥ 0} −aᵀη + ½ ηᵀ M η for a positive definite M, [G, G], by coordinate descent: so
/// many rounds over all rates, from a first guess.
Tensor nonnegative_minimiser(const Tensor& a, const Tensor& m, const Tensor& guess, int sweeps);

}  // namespace apo
