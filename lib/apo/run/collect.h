// A grid whose runs, or a population whose members, other processes train: what has ended so far.
#pragma once

#include <filesystem>

#include "apo/run/plan.h"

namespace apo {

/// Ranks the runs of the plan that have ended (missing_by) in the grid's `folder`, writes its
/// grid.json and report.html, and shows the table and those that are missing. No run's files are
/// changed. Returns the exit code: 0, or 5 where some run has diverged or is missing. A plan of one
/// population: collect_population. Throws Error: config, where the plan is of a single run or the
/// folder is of something else; data, where no run has ended; output.
int collect(const Plan& plan, const std::filesystem::path& folder);

/// The same for the members of a population that are processes; with population.json in the place
/// of grid.json, those that were lost, and the folder's summary.json where none is missing. 5 also
/// where one was lost. Throws Error: data, where no member has ended; output.
int collect_population(const PlannedRun& run, const std::filesystem::path& folder);

/// What collect_population writes, where no member is missing and it is not there yet: the last
/// member does it. Throws Error(output).
void collect_whole_population(const Experiment& experiment,
                              const nlohmann::ordered_json& config,
                              const std::filesystem::path& folder);

}  // namespace apo
