#include "apo/trace/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

namespace apo {
namespace {

double six_digits(double value) {
  return std::isfinite(value) ? std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr) : value;
}

}  // namespace

void Thinner::add(int64_t step, double value) {
  const Point point{seen_++, step, value};
  if (size_ <= most_) {
    keep(point);
    return;
  }
  if (point.place == 0) keep(point);
  last_ = point;
  const size_t stretches = (most_ - 2) / 3;
  if (point.place >= (stretch_ + 1) * size_ / stretches) close_stretch();
  if (!std::isfinite(value)) {
    if (!gap_) gap_ = point;
    return;
  }
  if (!smallest_ || value < smallest_->value) smallest_ = point;
  if (!largest_ || value > largest_->value) largest_ = point;
}

/// Keeps the stretch's landmarks in their order, each once.
void Thinner::close_stretch() {
  std::vector<Point> points;
  for (const auto& point : {smallest_, largest_, gap_}) {
    if (point) points.push_back(*point);
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.place < b.place;
  });
  for (const Point& point : points) keep(point);
  smallest_ = largest_ = gap_ = std::nullopt;
  ++stretch_;
}

void Thinner::keep(const Point& point) {
  if (next_ > point.place) return;  // kept already
  next_ = point.place + 1;
  kept_.step.push_back(point.step);
  kept_.value.push_back(point.value);
}

Curve Thinner::take() {
  if (size_ > most_) {
    close_stretch();
    if (last_) keep(*last_);
  }
  return std::move(kept_);
}

Curve thinned(const Curve& curve, size_t most) {
  Thinner thinner(curve.step.size(), most);
  for (size_t i = 0; i < curve.step.size(); ++i) thinner.add(curve.step[i], curve.value[i]);
  return thinner.take();
}

nlohmann::ordered_json to_json(const Curve& curve) {
  std::vector<double> rounded(curve.value.size());
  std::transform(curve.value.begin(), curve.value.end(), rounded.begin(), six_digits);
  return {{"x", curve.step}, {"y", rounded}};
}

}  // namespace apo
