// One run: from its experiment to the files in its folder.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apo/config/experiment.h"

namespace apo {

struct RunSettings {
  std::filesystem::path folder;
  bool overwrite = false;
  bool live = false;  ///< a progress line on the terminal
  std::string log_level = "info";
};

/// Trains, and writes the folder's files. Returns the exit code: 0 finished, 4 diverged, 128 +
/// signal interrupted. `config` is the resolved configuration. Throws Error.
int run(const Experiment& experiment,
        const nlohmann::ordered_json& config,
        const RunSettings& settings);

/// Everything but training: loads the data, builds the model, takes a base and a meta step, and
/// prints what a run would need. Writes nothing. Throws Error.
void dry_run(const Experiment& experiment);

}  // namespace apo
