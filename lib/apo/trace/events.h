// The event files of a run, which TensorBoard shows: the numbers of trace.jsonl as its scalars.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apo/trace/lines.h"
#include "apo/train/observer.h"

namespace apo {

/// Whether a file of this name is one of a run's: TensorBoard knows them by their beginning, this
/// program its own by their end.
bool is_event_file(const std::string& name);

/// Appends whole events, which wait in memory as lines do. Files are never cut, as a TensorBoard
/// that is open goes on from the byte where it has come to. A run that goes back begins another
/// file, whose first event is a SessionLog START: by it TensorBoard forgets the events of this step
/// and later ones. So a kill at any instant costs at most a torn event at the end of a file, which
/// TensorBoard passes over. All throw Error(output).
class EventFile : public Observer {
 public:
  /// The first file is made in `folder` at the first record. `tells_gain`: the loss term of meta
  /// records is the loss after the step, on the same examples as the step's.
  EventFile(std::filesystem::path folder, const TraceOptions& options, bool tells_gain);
  ~EventFile() override;
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;
  void on_end(const RunSummary& summary) override;

  /// After it all events so far are on the disk.
  void sync();
  /// The run is back where it had come to when it was last synced, or at an earlier such place.
  /// `last`: the epoch that had ended there; its events are of the step that is taken next, so that
  /// TensorBoard forgets them with those that are to be forgotten, and is told them again.
  void go_back(const std::optional<EpochRecord>& last);
  /// Takes what is told of a file that other programs remove.
  std::function<void(const std::string&)> warn = [](const std::string&) {};

 private:
  void begin(int64_t step);
  void open();
  void close();
  void write(const EpochRecord& record);
  void flush();
  void flush_if_due();

  std::filesystem::path folder_;
  TraceOptions options_;
  bool tells_gain_;
  std::filesystem::path path_;
  int file_ = -1;
  int64_t bytes_ = 0;
  std::string events_;  ///< waiting
  std::chrono::steady_clock::time_point flushed_;
  std::optional<EpochRecord> last_epoch_;
  std::optional<MetaRecord> meta_;  ///< of the step to come
};

}  // namespace apo
