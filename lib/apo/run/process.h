// What an experiment wants of the process as a whole.
#pragma once

#include <cstdint>

#include "apo/base/group.h"
#include "apo/run/experiment.h"

namespace apo {

/// Sets LibTorch's threads, TF32 and how the GPU's libraries choose their algorithms, as the
/// experiment has them. For programs, before anything of the experiment is made: nothing else in
/// the library sets what all of a process shares.
void set_up_process(const Experiment& experiment);

/// With threads for one of the ranks that share this machine's cores, where the experiment says
/// nothing of them.
Experiment sharing_cores(Experiment experiment, const Group& group);

/// LibTorch's threads for what the calling thread does.
void use_threads(int64_t threads);

}  // namespace apo
