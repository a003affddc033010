// What the tuners with meta steps share.
#pragma once

#include <algorithm>

#include "apo/objective/proximal.h"
#include "apo/tuning/tuner.h"

namespace apo {

/// What a meta step reads beside θ, ξ and φ.
struct MetaInputs {
  Batch x;
  Batch x_tilde;
  Tensor loss;
  TensorList g;

  template <class Visit>
  void visit_tensors(const Visit& visit) const {
    x.visit_tensors(visit);
    x_tilde.visit_tensors(visit);
    visit(loss);
    std::for_each(g.begin(), g.end(), visit);
  }
};

/// With the next x̃, which is drawn.
MetaInputs next_inputs(const StepContext& context);

/// Truth values, of x's shape.
Tensor is_finite(const Tensor& x);

/// mean ← mean + weight (now − mean), where `finite`, a scalar, is true.
void move_mean(Tensor& mean, const Tensor& now, const Tensor& weight, const Tensor& finite);

TunerTraits traits_of(const ApoOptions& options);
ProximalOptions objective_of(const ApoOptions& options);

/// Throws Error(config) where the discrepancy is of classes and the problem has none.
void check_discrepancy(const ApoOptions& options, const Problem& problem);

/// The part of a batch that a meta step looks at.
Batch seen_of(const Batch& batch, const TunerTraits& traits);

/// tuner.solver: gradient.
std::unique_ptr<Tuner> make_gradient_apo(const ApoOptions& options);
/// tuner.solver: exact.
std::unique_ptr<Tuner> make_exact_apo(const ApoOptions& options);

}  // namespace apo
