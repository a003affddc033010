// What a person sees while a run goes on.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>

#include "apo/train/observer.h"

namespace apo {

struct ConsoleOptions {
  bool live = false;  ///< a line on stderr that is rewritten in place
  int64_t total_steps = 0;
  int64_t steps_per_epoch = 0;
  /// Takes the one line per epoch and the warnings.
  std::function<void(const std::string&)> log;
  /// Takes what a tuner's diagnosis says.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// A live line with epoch, step, loss, accuracy, η, steps/s and time left; one log line per epoch.
class Console : public Observer {
 public:
  explicit Console(ConsoleOptions options);

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_search(const SearchRecord& record) override;
  void on_epoch(const EpochRecord& record) override;
  void on_rollback(const RollbackRecord& record) override;
  void on_warning(const WarningRecord& record) override;
  void on_freeze(int64_t step) override;
  void on_end(const RunSummary& summary) override;

 private:
  void draw(const StepRecord& record);
  void clear() const;

  ConsoleOptions options_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point drawn_;
  std::string accuracy_;  // of the last evaluation
  bool skip_reported_ = false;
  std::set<std::string>
      warned_;  // of kinds: after a rollback the trace is told again, not a person
};

}  // namespace apo
