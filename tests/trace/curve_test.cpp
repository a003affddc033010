#include "apo/trace/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

namespace apo {
namespace {

using testing::Contains;
using testing::Each;

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

/// A wave with one spike up and one down, where no regular choice of points would find them.
Curve spiky(int64_t size) {
  Curve curve;
  for (int64_t i = 0; i < size; ++i) {
    curve.step.push_back(10 * i);
    curve.value.push_back(2 + std::sin(0.001 * static_cast<double>(i)));
  }
  curve.value[static_cast<size_t>(size) / 3 + 1] = 50;
  curve.value[static_cast<size_t>(size) / 2 + 7] = -50;
  return curve;
}

TEST(ThinnedCurve, KeepsFirstLastSmallestAndLargest) {
  const Curve curve = spiky(60'000);
  for (const size_t most : {32, 1000, 2000}) {
    const Curve thin = thinned(curve, most);
    EXPECT_LE(thin.step.size(), most);
    EXPECT_GT(thin.step.size(), most / 2);
    EXPECT_EQ(thin.step.front(), 0);
    EXPECT_EQ(thin.step.back(), 599'990);
    EXPECT_THAT(thin.value, Contains(50.0));
    EXPECT_THAT(thin.value, Contains(-50.0));
  }
}

TEST(ThinnedCurve, HoldsPointsOfTheCurveInTheirOrder) {
  const Curve curve = spiky(10'007);  // no multiple of the stretches
  const Curve thin = thinned(curve, 500);
  ASSERT_EQ(thin.step.size(), thin.value.size());
  for (size_t i = 0; i < thin.step.size(); ++i) {
    EXPECT_EQ(thin.value[i], curve.value[static_cast<size_t>(thin.step[i]) / 10]);
  }
  EXPECT_TRUE(std::is_sorted(thin.step.begin(), thin.step.end(), std::less_equal<>()));
}

TEST(ThinnedCurve, KeepsAGapInAnyStretch) {
  Curve curve = spiky(30'000);
  curve.value[12'345] = kGap;
  const Curve thin = thinned(curve, 300);
  EXPECT_THAT(thin.step, Contains(123'450));
  EXPECT_EQ(
      std::count_if(thin.value.begin(), thin.value.end(), [](double v) { return std::isnan(v); }),
      1);
}

TEST(ThinnedCurve, OfGapsAloneStaysWithinTheLimit) {
  Curve curve = spiky(5000);
  std::fill(curve.value.begin(), curve.value.end(), kGap);
  const Curve thin = thinned(curve, 100);
  EXPECT_LE(thin.step.size(), 100);
  EXPECT_THAT(thin.value, Each(testing::IsNan()));
}

TEST(ThinnedCurve, IsTheCurveItselfWhereThatIsShort) {
  const Curve curve = spiky(100);
  EXPECT_EQ(thinned(curve, 100).value, curve.value);
  EXPECT_TRUE(thinned({}, 100).step.empty());
}

TEST(CurveAsJson, HasSixDigitsAndNullForWhatIsNotFinite) {
  const Curve curve = {
      {0, 1, 2, 3}, {2.3025851249694824, kGap, -std::numeric_limits<double>::infinity(), 1e-300}};
  EXPECT_EQ(to_json(curve).dump(), R"({"x":[0,1,2,3],"y":[2.30259,null,null,1e-300]})");
}

}  // namespace
}  // namespace apo
