// Accumulated time.
#pragma once

#include <chrono>
#include <string>

#include "apo/base/state.h"

namespace apo {

/// Counts the seconds during which it runs. Starts stopped, at 0.
class Stopwatch {
 public:
  void start() {
    begin_ = Clock::now();
    running_ = true;
  }
  void stop() {
    total_ = seconds();
    running_ = false;
  }
  double seconds() const {
    return total_ + (running_ ? std::chrono::duration<double>(Clock::now() - begin_).count() : 0);
  }

  /// What has been counted so far; restored, it stands still.
  void visit_state(const std::string& name, StateVisitor& visitor) {
    double counted = seconds();
    visitor.real(name, counted);
    if (!visitor.restores()) return;
    total_ = counted;
    running_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_;
  double total_ = 0;
  bool running_ = false;
};

}  // namespace apo
