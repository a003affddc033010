// From an experiment to the files in its folder.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "apo/base/group.h"
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
  /// The member of a population that alone is trained here: run_member.
  std::optional<size_t> member = {};
  Group* group = &alone();  ///< with whom it trains; who leads writes the files
  /// Called once all is checked: before, there is nothing that an interruption could lose.
  std::function<void()> on_start = [] {};
  /// Polled every step: the number of the signal that asks for the end, or 0.
  std::function<int()> signal = [] { return 0; };
};

/// Trains, and writes the folder's files. Where the experiment is a population, that
/// is a run folder for each member in the settings' folder, and what is said of all of them beside.
/// `config` is the resolved configuration; the process is as process.h sets it up. Returns the exit
/// code: a run's, or a grid's, which is 5 where some member diverged. Throws Error.
int run(const Experiment& experiment,
        const nlohmann::ordered_json& config,
        const RunSettings& settings);

/// Of a member that the others have given up.
inline constexpr int kExitLost = 6;

/// Trains the settings' member of a population in a folder of its own in theirs, beside processes
/// of the others, and meets them at the ends of turns: without one that is lost, else as they would
/// train in one process, to the bit. The last to end writes what is said of all. Returns the exit
/// code: a run's, or kExitLost. Throws Error.
int run_member(const Experiment& experiment,
               const nlohmann::ordered_json& config,
               const RunSettings& settings);

/// 0 finished, 4 diverged, 128 + signal interrupted.
int exit_code_of(const RunSummary& summary, int signal);

}  // namespace apo
