// The lines of trace.jsonl.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apo/train/observer.h"

namespace apo {

/// Which records a trace keeps, by their steps alone: a run that is resumed keeps the same ones.
struct TraceOptions {
  int64_t every = 1;       ///< steps between the records of steps
  int64_t meta_every = 1;  ///< meta steps between their records
  int64_t interval = 1;    ///< steps between meta steps; 0: there are none

  bool keeps(const StepRecord& record) const;  ///< where the loss is not finite, always
  bool keeps(const MetaRecord& record) const;  ///< where it was skipped, always
};

// A record as JSON and a newline. Numbers read back exactly; those that are not finite are null.

std::string line_of(const StepRecord& record);
std::string line_of(const MetaRecord& record, const std::vector<HyperparameterRecord>& values);
std::string line_of(const EpochRecord& record);
std::string line_of(const RollbackRecord& record);

}  // namespace apo
