// A column of a trace as a picture shows it: against steps, with no more points than can be seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace apo {

struct Curve {
  std::vector<int64_t> step;
  std::vector<double> value;  ///< one that is not finite is a gap
};

/// At most `most` (≥ 5) of the curve's points: the first, the last, and of each of many equal
/// stretches the smallest, the largest and the first gap. So the envelope stays.
Curve thinned(const Curve& curve, size_t most);

/// The same for a curve whose points come one by one of which only the number is known before: it
/// holds no more of them than it keeps.
class Thinner {
 public:
  Thinner(size_t size, size_t most) : size_(size), most_(most) {}
  void add(int64_t step, double value);
  /// After the last of `size` points.
  Curve take();

 private:
  struct Point {
    size_t place;
    int64_t step;
    double value;
  };
  void close_stretch();
  void keep(const Point& point);

  size_t size_;
  size_t most_;
  size_t seen_ = 0;
  size_t stretch_ = 0;
  size_t next_ = 0;  // place behind the last that was kept
  std::optional<Point> last_;
  std::optional<Point> smallest_;  // of the stretch, as the two below
  std::optional<Point> largest_;
  std::optional<Point> gap_;
  Curve kept_;
};

/// {"x": steps, "y": values}, six digits of each value; a gap is null.
nlohmann::ordered_json to_json(const Curve& curve);

}  // namespace apo
