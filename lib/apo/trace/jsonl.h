// trace.jsonl: every record as a line, written while the run goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "apo/trace/lines.h"
#include "apo/train/observer.h"

namespace apo {

/// How far a trace had come: what a checkpoint remembers of it.
struct TraceMark {
  int64_t bytes = 0;
  uint32_t checksum = 0;  ///< CRC-32 of them
  void visit_state(StateVisitor& visitor);
  /// Throws Error(data) where the file does not begin with these bytes.
  void check(const std::filesystem::path& path) const;
};

/// Appends whole lines, so that the file can be read at any moment and after a crash. Lines wait in
/// memory for at most half a second of steps, or until an epoch ends.
class JsonLines : public Observer {
 public:
  /// Creates the file and writes `header`, one line of JSON; or opens the one that is there, to go
  /// on with it after visit_state. Steps whose loss is not finite and meta steps that were skipped
  /// are kept whatever the options. Throws Error(output).
  JsonLines(const std::filesystem::path& path,
            const std::string& header,
            const TraceOptions& options = {});
  explicit JsonLines(const std::filesystem::path& path, const TraceOptions& options = {});
  ~JsonLines() override;
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;
  void on_rollback(const RollbackRecord& record) override;
  void on_warning(const WarningRecord& record) override { lines_ += line_of(record); }
  void on_freeze(int64_t step) override { lines_ += freeze_line(step); }
  void on_end(const RunSummary& summary) override;

  /// The mark of the file. Saved, all lines so far are on the disk; restored, those behind it are
  /// gone. Throws Error: output, or data where the file does not fit.
  void visit_state(StateVisitor& visitor);
  /// Takes what is told of a file that other programs change.
  std::function<void(const std::string&)> warn = [](const std::string&) {};

 private:
  JsonLines(const std::filesystem::path& path, const TraceOptions& options, int flags);
  void flush();
  void cut_to(const TraceMark& mark);
  void keep_whole();
  void write_again();
  void flush_if_due();

  std::filesystem::path path_;
  TraceOptions options_;
  int file_;
  TraceMark mark_;     ///< of what is in the file
  std::string lines_;  ///< waiting
  std::chrono::steady_clock::time_point flushed_;
};

}  // namespace apo
