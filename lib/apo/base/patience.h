// Waiting for other processes, which may be gone or stand still.
#pragma once

#include <chrono>

namespace apo {

/// How long a process has waited for others. While it was stopped itself counts as a moment: then
/// it is the one that they have waited for.
class Waiting {
 public:
  using Seconds = std::chrono::duration<double>;

  /// To be asked all the while, ten times a second at least.
  Seconds so_far();
  bool exceeds(Seconds patience) { return so_far() > patience; }

 private:
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  Seconds waited_{0};
};

}  // namespace apo
