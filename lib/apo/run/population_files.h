// What is written of a population as a whole, however its members were trained.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/run/experiment.h"
#include "apo/run/grid_summary.h"
#include "apo/train/selection.h"

namespace apo {

/// What a member's log says of its event.
std::string line_of(const PopulationEvent& event);
/// As population.json has it.
nlohmann::ordered_json to_json(const PopulationEvent& event);

/// A member of the population in `folder` that has ended.
EndedRun ended_member(const Experiment& experiment,
                      const std::filesystem::path& folder,
                      size_t member,
                      int exit_code);

/// Writes population.json of the members that have ended, at least one; where those are all that
/// will, for those who rank this folder among others the summary of its best member with the time
/// of all; and report.html. Shows the table. `lost`: {"member", "turn"} of each that was given up.
/// Throws Error(output).
void write_population(const std::string& name,
                      const std::filesystem::path& folder,
                      const std::vector<EndedRun>& ended,
                      const nlohmann::ordered_json& events,
                      const nlohmann::ordered_json& lost,
                      bool whole);

}  // namespace apo
