// The heart: the one-step objective J(φ) and its gradient.
#pragma once

#include "apo/objective/discrepancy.h"
#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// h: the loss itself, or its first-order Taylor term (Eq. 4).
enum class LossTerm { loss, linear };

struct ProximalOptions {
  double lambda = 0;         ///< λ
  double weight_lambda = 0;  ///< λ_w
  LossTerm loss_term = LossTerm::loss;
  Momentum momentum = Momentum::ignore;  ///< of θ′; the paper tunes as if there were none
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
  /// ∂J/∂(stored φ), one tensor per tuned hyperparameter, of the shape of its stored form.
  TensorList gradient;
};

/// The proximal objective of a step (Eq. 11):
///     J(φ) = h(f(x, θ′)) + λ · D(f(x̃, θ′), f(x̃, θ)) + λ_w · ½‖θ′ − θ‖²
/// with θ′ = g(θ, ξ, φ), without momentum unless asked for, and h = ℓ or, linear, h = ⟨∇_z ℓ(f(x,
/// θ)), f(x, θ′) − f(x, θ)⟩. Nothing it does leaves a trace in the problem: parameters and buffers
/// are restored to the bit.
class ProximalObjective {
 public:
  /// Keeps references: step, discrepancy must outlive it. Evaluates the outputs at θ once.
  ProximalObjective(const PendingStep& step,
                    const Discrepancy& discrepancy,
                    const ProximalOptions& options);

  /// J at φ, by forward passes alone.
  double value(const HyperparameterValues& phi);

  /// J and its gradient at φ. g does not depend on φ, so v = ∇_θ′ J is one ordinary backward pass
  /// and ∇_φ J = vᵀ ∂θ′/∂φ one vector-Jacobian product through the update formula: no double
  /// backward.
  MetaGradient gradient(const Hyperparameters& phi);

 private:
  TensorList propose(const HyperparameterValues& phi) const;
  Tensor loss_term(const Tensor& z_next) const;
  Tensor proximal_term(const Tensor& z_tilde_next, ProximalTerms& terms) const;
  ProximalTerms terms(const Tensor& z_next, const Tensor& z_tilde_next) const;
  TensorList differentiate(ProximalTerms& of);
  void average_over_ranks(MetaGradient& meta) const;

  const PendingStep& step_;
  const Discrepancy& discrepancy_;
  ProximalOptions options_;
  TensorList theta_;  // detached aliases of the parameters before the step
  Tensor z_tilde_;    // f(x̃, θ)
  Tensor z_;          // f(x, θ), for the linear term
  Tensor slope_;      // ∇_z ℓ there
};

}  // namespace apo
