// The lines of trace.jsonl, and what they take on the disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "apo/train/observer.h"

namespace apo {

// How long records wait in memory before they are written.
inline constexpr size_t kMostWaiting = 1 << 16;  // bytes
inline constexpr std::chrono::milliseconds kLongestWait{500};

/// Which records a trace keeps, by their steps alone: a run that is resumed keeps the same ones.
struct TraceOptions {
  int64_t every = 1;         ///< steps between the records of steps
  int64_t meta_every = 1;    ///< meta steps between their records
  int64_t interval = 1;      ///< steps between meta steps; 0: there are none
  bool tensorboard = false;  ///< whether they are written as events, too

  bool keeps(const StepRecord& record) const;  ///< where the loss is not finite, always
  bool keeps(const MetaRecord& record) const;  ///< where it was skipped, always
};

// A record as JSON and a newline. Numbers read back exactly; those that are not finite are null.

std::string line_of(const StepRecord& record);
std::string line_of(const MetaRecord& record, const std::vector<HyperparameterRecord>& values);
std::string line_of(const EpochRecord& record);
std::string line_of(const RollbackRecord& record);
std::string line_of(const WarningRecord& record);
std::string freeze_line(int64_t step);

/// At most so many bytes are taken on the disk, at one time, by trace.jsonl, by trace.json with the
/// columns that wait beside it, by the page, and by event files. tuned: the names of the tuned
/// values. Rollbacks and meta steps that are kept because they were skipped come on top.
double trace_bytes(const TraceOptions& options,
                   int64_t steps,
                   int64_t epochs,
                   const std::vector<std::string>& tuned);

}  // namespace apo
