// What a run was trained on, so that it does not go on with anything else.
#pragma once

#include <cstdint>
#include <optional>

#include "apo/base/state.h"
#include "apo/data/dataset.h"

namespace apo {

/// What tells the examples of one data set from those of another, and a model's file likewise.
struct DataMark {
  int64_t train_examples = 0;
  int64_t test_examples = 0;
  int64_t train_checksum = 0;  ///< CRC-32 of pictures and labels
  int64_t test_checksum = 0;
  std::optional<int64_t> model_checksum = {};  ///< of its file, where it is from one
  std::optional<int64_t> tuner_checksum = {};  ///< of the trace that it replays

  /// Restored, it stays: throws Error(data) where the run to go on with was trained on others.
  void visit_state(StateVisitor& visitor) const;
};

/// Of the data; the model's file is not known here.
DataMark mark_of(const Dataset& dataset);

}  // namespace apo
