// A column of a trace as a picture shows it: against steps, with no more points than can be seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace apo {

struct Curve {
  std::vector<int64_t> step;
  std::vector<double> value;  ///< one that is not finite is a gap
};

/// At most `most` (≥ 5) of the curve's points: the first, the last, and of each of many equal
/// stretches the smallest, the largest and the first gap. So the envelope stays.
Curve thinned(const Curve& curve, size_t most);

/// {"x": steps, "y": values}, six digits of each value; a gap is null.
nlohmann::ordered_json to_json(const Curve& curve);

}  // namespace apo
