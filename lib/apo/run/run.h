// One run: from its experiment to the files in its folder.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apo/run/experiment.h"
#include "apo/trace/run_folder.h"
#include "apo/train/observer.h"

namespace apo {

struct RunSettings {
  std::filesystem::path folder;
  Existing existing = Existing::refuse;
  bool live = false;  ///< a progress line on the terminal
  std::string log_level = "info";
  int64_t jobs = 1;  ///< members of a population that train at a time
  /// Called once all is checked: before, there is nothing that an interruption could lose.
  std::function<void()> on_start = [] {};
  /// Polled every step: the number of the signal that asks for the end, or 0.
  std::function<int()> signal = [] { return 0; };
};

/// Trains, and writes the folder's files. Returns the exit code. `config` is the resolved
/// configuration. Throws Error.
int run(const Experiment& experiment,
        const nlohmann::ordered_json& config,
        const RunSettings& settings);

/// The same for an experiment whose tuner works on a population: a run folder for each member in
/// the settings' folder, and what is said of all of them beside. Returns the exit code of a grid:
/// 0, 5 where some member diverged, 128 + signal.
int run_population(const Experiment& experiment,
                   const nlohmann::ordered_json& config,
                   const RunSettings& settings);

/// 0 finished, 4 diverged, 128 + signal interrupted.
int exit_code_of(const RunSummary& summary, int signal);

/// Everything but training: loads the data, builds the model, times some base and meta steps, the
/// search for the first rate and an evaluation, and returns the lines that say what a run would
/// need, and of a grid of so many `runs` the whole. `jobs`: of a grid or a population. Writes
/// nothing. Throws Error.
std::string dry_run(Experiment experiment, int64_t runs, int64_t jobs);

}  // namespace apo
