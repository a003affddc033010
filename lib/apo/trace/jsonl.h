// trace.jsonl: every record as a line, written while the run goes on.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "apo/train/observer.h"

namespace apo {

/// Appends whole lines, so that the file can be read at any moment and after a crash. Lines wait in
/// memory for at most half a second of steps, or until an epoch ends.
class JsonLines : public Observer {
 public:
  /// Creates the file and writes `header`, one line of JSON; or opens the one that is there, to go
  /// on with it after visit_state. Throws Error(output).
  JsonLines(const std::filesystem::path& path, const std::string& header);
  explicit JsonLines(const std::filesystem::path& path);
  ~JsonLines() override;
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;
  void on_rollback(const RollbackRecord& record) override;
  void on_end(const RunSummary& summary) override;

  /// The length of the file. Saved, all lines so far are on the disk; restored, those behind it are
  /// gone. Throws Error: output, or data where the file is shorter.
  void visit_state(StateVisitor& visitor);

 private:
  JsonLines(const std::filesystem::path& path, int flags);
  void flush();
  void cut_to(int64_t bytes);
  void flush_if_due();

  std::filesystem::path path_;
  int file_;
  int64_t bytes_ = 0;  ///< in the file
  std::string lines_;  ///< waiting
  std::chrono::steady_clock::time_point flushed_;
};

}  // namespace apo
