// From a configuration to the runs that it asks for, all of them read and checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apo/config/document.h"
#include "apo/run/experiment.h"

namespace apo {

struct PlannedRun {
  std::string label;              ///< its folder's name within the grid; "" for a single run
  nlohmann::ordered_json values;  ///< its place on the axes: key → value
  Experiment experiment;
  nlohmann::ordered_json config;  ///< resolved, with every default
};

struct Plan {
  std::string name;
  std::string config_file;
  std::string note;  ///< which keys have moved and which later choices took away, a line for each
  Document given;    ///< what the configuration says, with the keys that there are now
  nlohmann::ordered_json axes;  ///< key → values; empty for a single run
  std::vector<PlannedRun> runs;

  /// The configuration with every default, the lists of a grid in their places.
  nlohmann::ordered_json resolved() const;
  /// The number and the label of each run, a line for each.
  std::string list() const;
};

/// `document`: what `file` says, and overrides. With `run_index` only that run is asked for, and
/// nothing is noted. Throws Error (config) for the first mistake in any run.
Plan make_plan(Document document,
               const std::filesystem::path& file,
               std::optional<int64_t> run_index);

}  // namespace apo
