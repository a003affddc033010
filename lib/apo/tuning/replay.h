// A tuner that takes φ from what an earlier run used.
#pragma once

#include <memory>

#include "apo/tuning/recorded.h"
#include "apo/tuning/tuner.h"

namespace apo {

/// With the values at hand instead of their file, for a run of `steps` steps. Pre: the rule has
/// these hyperparameters, and the network these layers.
std::unique_ptr<Tuner> replay_of(RecordedValues recorded,
                                 const ReplayOptions& options,
                                 int64_t steps);

}  // namespace apo
