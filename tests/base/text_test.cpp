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

TEST(Wrapped, BreaksLongLinesBetweenWordsAndLeavesTheOthersAlone) {
  EXPECT_EQ(wrapped("one two\nthree\n", 7), "one two\nthree\n");
  EXPECT_EQ(wrapped("one two three four\n", 11), "one two\n    three\n    four\n");
  EXPECT_EQ(wrapped("", 10), "");
}

TEST(Wrapped, PrefersTheGapsOfColumns) {
  EXPECT_EQ(wrapped("epoch 1  loss 0.5  rate 0.1", 13), "epoch 1\n    loss 0.5\n    rate 0.1");
  EXPECT_EQ(wrapped("a  much longer sentence", 15), "a  much longer\n    sentence");
}

TEST(Wrapped, LeavesLongWordsWholeHoweverNarrow) {
  EXPECT_EQ(wrapped("traces: /a/long/path/of/a/run x", 10),
            "traces:\n    /a/long/path/of/a/run\n    x");
  EXPECT_EQ(wrapped("ab cd", 1), "ab\n    cd");
}

TEST(Wrapped, CountsCharactersNotBytes) {
  EXPECT_EQ(wrapped("ηηηη η", 6), "ηηηη η");
}

}  // namespace
}  // namespace apo
