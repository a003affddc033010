// What a run and a population share: the folder, what there is to go on from, state, checkpoints,
// files and the end.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apo/checkpoint/checkpoints.h"
#include "apo/run/assemble.h"
#include "apo/run/files.h"
#include "apo/run/run.h"
#include "apo/trace/run_folder.h"

namespace apo {

/// A single run has its files in the session's folder, and so has a member of a population that is
/// a process; the members of a population in one process have folders of their own in it.
class Session {
 public:
  /// Checks the folder and, where it is there, locks it; before the data are loaded. `config` is
  /// the resolved configuration. The arguments must outlive it. Throws Error.
  Session(const Experiment& experiment,
          const nlohmann::ordered_json& config,
          const RunSettings& settings);

  /// Whether the run to resume has ended by itself with this very configuration. Says so on stderr.
  bool is_over() const;

  /// Loads, checks all that is there and the room on the disk, then claims the folders and opens
  /// the files. Throws Error; until the last check everything is left as it was.
  void begin();

  /// What is remembered beside the data and the files. Puts it back, and the files, where there is
  /// a checkpoint to go on from, and returns its step. Pre: begun.
  std::optional<int64_t> carry(std::function<void(StateVisitor&)> content);
  State state();
  void restore(const Checkpoint& from);
  /// Writes a checkpoint of `state`, or of what is now, on a thread of its own. Throws the
  /// Error(output) of the one before.
  void save(int64_t step, bool best, bool scheduled, std::optional<State> state = {});

  /// Writes a run's model_average.safetensors, of what its network holds now. Throws Error(output).
  void write_average(size_t run);
  /// Writes each run's model.safetensors and the files that are written at the end. Throws
  /// Error(output).
  void finish(const std::vector<RunSummary>& summaries);

  const Experiment& experiment() const { return experiment_; }
  const RunSettings& settings() const { return settings_; }
  Checkpoints& checkpoints() { return checkpoints_; }
  const std::filesystem::path& folder() const { return settings_.folder; }
  /// One for each run.
  std::vector<Assembly>& assemblies() { return assemblies_; }
  const std::vector<Assembly>& assemblies() const { return assemblies_; }
  /// nullptr where another rank writes them.
  RunFiles* files(size_t run) { return files_.empty() ? nullptr : files_[run].get(); }
  std::filesystem::path folder_of(size_t run) const;
  /// That asks for the end, on whichever rank it came; 0: none. All ranks ask.
  int signal() const;
  /// What the training loop polls.
  Poll interrupted() const;

 private:
  /// Of its files in the state.
  std::string section_of(size_t run) const;
  void require_same_on_all_ranks() const;
  void check_against(const Checkpoint& from) const;
  void open_files();
  void visit_state(StateVisitor& visitor);

  const Experiment& experiment_;
  const nlohmann::ordered_json& config_;
  const RunSettings& settings_;
  const bool population_;            ///< all of its members
  std::optional<RunFolder> folder_;  ///< only where this rank leads
  Checkpoints checkpoints_;
  std::optional<Checkpoint> from_;
  std::vector<Assembly> assemblies_;
  std::vector<std::unique_ptr<RunFolder>> folders_;  ///< of members
  std::vector<std::unique_ptr<RunFiles>> files_;
  std::function<void(StateVisitor&)> content_ = [](StateVisitor&) {};
};

/// Trains a session's only run, which is begun, to its end. Returns the exit code.
int train_run(Session& session);
/// The same for the members of a population, all of them in this process.
int train_members(Session& session);
/// What those and members that are processes have in common.
PopulationOptions population_options(const Session& session);

}  // namespace apo
