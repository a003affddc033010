// From the command line to the runs that it asks for, all of them read and checked.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/config/experiment.h"
#include "flags.h"

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
  std::string note;             ///< where the file was found, if that needs saying
  nlohmann::ordered_json axes;  ///< key → values; empty for a single run
  std::vector<PlannedRun> runs;

  /// The configuration with every default, the lists of a grid in their places.
  nlohmann::ordered_json resolved() const;
};

/// Throws Error (config) for the first mistake in any run.
Plan make_plan(const Flags& flags);

}  // namespace apo
