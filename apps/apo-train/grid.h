// A grid: its runs in processes of their own, then their ranking.
#pragma once

#include "apo/run/plan.h"
#include "flags.h"

namespace apo {

/// Returns the exit code: 0, 5 where some run failed, 128 + signal. Throws Error before the first
/// run starts.
int run_grid(const Plan& plan, const Flags& flags);

}  // namespace apo
