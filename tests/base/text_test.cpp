#include "apo/base/text.h"

#include <gtest/gtest.h>

namespace apo {
namespace {

TEST(Nearest, FindsTheWordBehindATypo) {
  EXPECT_EQ(nearest("optimzer", {"tuner", "optimizer", "model"}), "optimizer");
  EXPECT_EQ(nearest("sdg", {"sgd", "adam"}), "sgd");
}

TEST(Nearest, IsEmptyWhereNothingIsNear) {
  EXPECT_EQ(nearest("qqqqqqqq", {"tuner", "optimizer"}), "");
}

}  // namespace
}  // namespace apo
