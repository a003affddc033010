// Accumulated time of work on a device.
#pragma once

#include <c10/core/Event.h>

#include <deque>
#include <string>
#include <utility>

#include "apo/train/stopwatch.h"

namespace apo {

/// Counts the seconds that a device spends on what is issued to it between start and stop, without
/// waiting for it; on the CPU, the seconds that pass.
class DeviceStopwatch {
 public:
  explicit DeviceStopwatch(at::Device device) : device_(device) {}

  void start();
  void stop();
  /// Waits for the device.
  double seconds();
  void visit_state(const std::string& name, StateVisitor& visitor);

 private:
  c10::Event mark() const;
  void add_first();

  at::Device device_;
  Stopwatch host_;
  double total_ = 0;
  std::deque<std::pair<c10::Event, c10::Event>> intervals_;  // not yet in total_
};

}  // namespace apo
