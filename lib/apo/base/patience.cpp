#include "apo/base/patience.h"

#include <algorithm>

namespace apo {

Waiting::Seconds Waiting::so_far() {
  constexpr Seconds kMoment{0.2};
  const auto now = std::chrono::steady_clock::now();
  waited_ += std::min<Seconds>(now - asked_, kMoment);
  asked_ = now;
  return waited_;
}

}  // namespace apo
