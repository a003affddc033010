// What both solvers of APO's objective share.
#pragma once

#include "apo/objective/proximal.h"
#include "apo/tuning/tuner.h"

namespace apo {

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
