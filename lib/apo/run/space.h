// The room on the disk that a run needs.
#pragma once

#include <span>

#include "apo/run/assemble.h"
#include "apo/run/run.h"

namespace apo {

/// Throws Error(output) where the disk has no room for the checkpoints that are kept at a time and
/// for the traces of all members (one: a single run). Room that a run which is to be replaced takes
/// counts as free. Before anything of that is touched.
void require_space(const RunSettings& settings,
                   const Experiment& experiment,
                   std::span<Assembly> members);

}  // namespace apo
