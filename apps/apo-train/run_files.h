// What a run writes into its folder, while it trains and at its end.
#pragma once

#include <spdlog/logger.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/config/assemble.h"
#include "apo/trace/columns.h"
#include "apo/trace/console.h"
#include "apo/trace/jsonl.h"
#include "run.h"

namespace apo {

/// Writes summary.json.
void write_summary(const std::filesystem::path& folder,
                   const std::string& name,
                   const RunSummary& summary);

class RunFiles {
 public:
  /// Claims the folder, writes config.yaml and begins the others. `label` goes before every line on
  /// the terminal. Throws Error.
  RunFiles(const Experiment& experiment,
           const nlohmann::ordered_json& config,
           const Assembly& assembly,
           const RunSettings& settings,
           const std::string& label = "");

  /// To the terminal and to log.txt.
  spdlog::logger& log() { return log_; }
  std::vector<Observer*> observers() { return {&lines_, &columns_, &console_}; }
  /// Writes trace.json and summary.json, then report.html: without it there is a warning only.
  void finish(const RunSummary& summary);

 private:
  std::filesystem::path folder_;
  std::string name_;
  nlohmann::ordered_json header_;
  spdlog::logger log_;
  JsonLines lines_;
  TraceColumns columns_;
  Console console_;
};

}  // namespace apo
