// The heart: the one-step objective J(φ) and its gradient.
#pragma once

#include "apo/objective/discrepancy.h"
#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// λ and λ_w.
struct ProximalWeights {
  double lambda = 0;
  double weight_lambda = 0;
};

/// A base step about to be taken: all that the update rule would use, and both batches.
struct PendingStep {
  Problem& problem;
  const UpdateRule& rule;
  const TensorList& g;
  const Statistics& xi;
  const Batch& x;
  const Batch& x_tilde;
};

/// Scalars.
struct ProximalTerms {
  Tensor objective;    ///< J
  Tensor loss_term;    ///< h
  Tensor discrepancy;  ///< D, without λ
};

struct MetaGradient {
  ProximalTerms terms;
  /// ∂J/∂(stored φ), one [groups] tensor per tuned hyperparameter.
  TensorList gradient;
};

/// The proximal objective of a step (Eq. 11):
///     J(φ) = ℓ(f(x, θ′)) + λ · D(f(x̃, θ′), f(x̃, θ)) + λ_w · ½‖θ′ − θ‖²,   θ′ = g(θ, ξ, φ) without
///     momentum
/// Nothing it does leaves a trace in the problem: parameters and buffers are restored to the bit.
class ProximalObjective {
 public:
  /// Keeps references: step, discrepancy must outlive it. Evaluates f(x̃, θ) once.
  ProximalObjective(const PendingStep& step,
                    const Discrepancy& discrepancy,
                    const ProximalWeights& weights);

  /// J at φ, by forward passes alone.
  double value(const HyperparameterValues& phi);

  /// J and its gradient at φ. g does not depend on φ, so v = ∇_θ′ J is one ordinary backward pass
  /// and ∇_φ J = vᵀ ∂θ′/∂φ one vector-Jacobian product through the update formula: no double
  /// backward.
  MetaGradient gradient(const Hyperparameters& phi);

 private:
  TensorList propose(const HyperparameterValues& phi) const;
  ProximalTerms terms_at_current_parameters();

  const PendingStep& step_;
  const Discrepancy& discrepancy_;
  ProximalWeights weights_;
  TensorList theta_;  // detached aliases of the parameters before the step
  Tensor z_tilde_;    // f(x̃, θ)
};

}  // namespace apo
