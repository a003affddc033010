// A grid whose runs other processes train: what has ended of it so far.
#pragma once

#include <filesystem>

#include "apo/run/plan.h"

namespace apo {

/// Ranks the runs of the plan that have ended in the grid's `folder`, writes its grid.json and
/// report.html, and shows the table and those that are missing. A run has ended when it has left a
/// summary.json that says so, with a configuration that gives the plan's results; nothing else is
/// believed, and no run's files are changed. Returns the exit code: 0, or 5 where some run has
/// diverged or is missing. Throws Error: config, where the plan is of a single run or the folder is
/// of something else; data, where no run has ended; output.
int collect(const Plan& plan, const std::filesystem::path& folder);

}  // namespace apo
