// What an experiment wants of the process as a whole.
#pragma once

#include <cstdint>

#include "apo/run/experiment.h"

namespace apo {

/// Sets LibTorch's threads, TF32 and how the GPU's libraries choose their algorithms, as the
/// experiment has them. For programs, before anything of the experiment is made: nothing else in
/// the library sets what all of a process shares.
void set_up_process(const Experiment& experiment);

/// LibTorch's threads for what the calling thread does.
void use_threads(int64_t threads);

}  // namespace apo
