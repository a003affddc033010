#include "apo/trace/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace apo {
namespace {

/// The smallest, the largest and the first gap in [begin, end), by their places.
std::vector<size_t> landmarks(const std::vector<double>& value, size_t begin, size_t end) {
  constexpr size_t kNone = -1;
  size_t smallest = kNone;
  size_t largest = kNone;
  size_t gap = kNone;
  for (size_t i = begin; i < end; ++i) {
    if (!std::isfinite(value[i])) {
      if (gap == kNone) gap = i;
      continue;
    }
    if (smallest == kNone || value[i] < value[smallest]) smallest = i;
    if (largest == kNone || value[i] > value[largest]) largest = i;
  }
  std::vector<size_t> found;
  for (const size_t place : {smallest, largest, gap}) {
    if (place != kNone) found.push_back(place);
  }
  return found;
}

double six_digits(double value) {
  return std::isfinite(value) ? std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr) : value;
}

}  // namespace

Curve thinned(const Curve& curve, size_t most) {
  const size_t size = curve.step.size();
  if (size <= most) return curve;
  const size_t stretches = (most - 2) / 3;
  std::vector<size_t> kept = {0, size - 1};
  for (size_t k = 0; k < stretches; ++k) {
    const auto marks = landmarks(curve.value, k * size / stretches, (k + 1) * size / stretches);
    kept.insert(kept.end(), marks.begin(), marks.end());
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  Curve thin;
  for (const size_t i : kept) {
    thin.step.push_back(curve.step[i]);
    thin.value.push_back(curve.value[i]);
  }
  return thin;
}

nlohmann::ordered_json to_json(const Curve& curve) {
  std::vector<double> rounded(curve.value.size());
  std::transform(curve.value.begin(), curve.value.end(), rounded.begin(), six_digits);
  return {{"x", curve.step}, {"y", rounded}};
}

}  // namespace apo
