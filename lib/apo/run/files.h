// What a run writes into its folder, while it trains and at its end.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/state.h"
#include "apo/run/assemble.h"
#include "apo/run/log.h"
#include "apo/run/run.h"
#include "apo/trace/console.h"
#include "apo/trace/events.h"
#include "apo/trace/jsonl.h"
#include "apo/train/diagnosis.h"

namespace apo {

/// Which records the run's trace keeps.
TraceOptions trace_options(const Experiment& experiment, const Assembly& assembly);

/// Writes summary.json.
void write_summary(const std::filesystem::path& folder,
                   const std::string& name,
                   const RunSummary& summary);

/// Writes model.safetensors: the problem's parameters and buffers by their names, with what one
/// needs to use them. Equal runs leave equal files, whatever their names and lengths.
void write_model(const std::filesystem::path& folder,
                 const nlohmann::ordered_json& config,
                 const Assembly& assembly);

/// Writes model_average.safetensors, the same of what the problem's network holds now: averaged
/// weights.
void write_average(const std::filesystem::path& folder,
                   const nlohmann::ordered_json& config,
                   const Assembly& assembly);

class RunFiles {
 public:
  /// Writes config.yaml and begins the others in a folder that is claimed, or with `resumed` goes
  /// on with them. `label` goes before every line on the terminal. Throws Error.
  RunFiles(const Experiment& experiment,
           const nlohmann::ordered_json& config,
           const Assembly& assembly,
           const RunSettings& settings,
           const std::filesystem::path& folder,
           bool resumed,
           const std::string& label);

  /// To the terminal and to log.txt.
  RunLog& log() { return log_; }
  std::vector<Observer*> observers();
  /// Writes what a rollback has cut off the trace with all that came before it.
  void tell_again(const RollbackRecord& record) { lines_.on_rollback(record); }
  /// How far the trace had come; restored, it is cut back to there.
  void visit_state(StateVisitor& visitor);

  /// Writes trace.json and summary.json, then report.html: without it there is a warning only.
  void finish(const RunSummary& summary);

 private:
  std::filesystem::path folder_;
  std::string name_;
  nlohmann::ordered_json header_;
  RunLog log_;
  JsonLines lines_;
  std::optional<EventFile> events_;
  Console console_;
  std::optional<Diagnosis> diagnosis_;  ///< of a tuner that learns
};

}  // namespace apo
