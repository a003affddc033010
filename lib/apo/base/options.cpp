#include "apo/base/options.h"

#include <fmt/format.h>

#include <cmath>

namespace apo {

bool Range::contains(double value) const {
  if (!std::isfinite(value)) return false;
  const bool above = lower_open ? value > lower : value >= lower;
  const bool below = upper_open ? value < upper : value <= upper;
  return above && below;
}

std::string Range::describe() const {
  const std::string low =
      std::isfinite(lower) ? fmt::format("{} {}", lower_open ? ">" : ">=", lower) : "";
  const std::string high =
      std::isfinite(upper) ? fmt::format("{} {}", upper_open ? "<" : "<=", upper) : "";
  if (low.empty() && high.empty()) return "must be a finite number";
  return "must be " + low + (low.empty() || high.empty() ? "" : " and ") + high;
}

}  // namespace apo
