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
  /// Creates the file and writes `header`, one line of JSON. Throws Error(output).
  JsonLines(const std::filesystem::path& path, const std::string& header);
  ~JsonLines() override;
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;
  void on_end(const RunSummary& summary) override;

 private:
  void flush();
  void flush_if_due();

  std::filesystem::path path_;
  int file_;
  std::string lines_;
  std::chrono::steady_clock::time_point flushed_;
};

}  // namespace apo
