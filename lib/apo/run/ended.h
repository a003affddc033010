// Whether a run has ended that other processes train: only what its files say counts.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/run/grid_summary.h"

namespace apo {

/// Why the run in `folder` has not ended; "" where it has. A run has ended when it has left a
/// summary.json that says so, with a configuration that gives the results of `config`; nothing else
/// is believed.
std::string missing_by(const nlohmann::ordered_json& config, const std::filesystem::path& folder);

/// With which the process of a run that has ended has left.
int exit_code_in(const std::filesystem::path& folder);

/// Their number, and a line for each: `what` they are ("missing") of `all` `runs`.
std::string list_of(const char* what,
                    const std::vector<LeftRun>& left,
                    size_t all,
                    const char* runs);

}  // namespace apo
