#include "apo/run/turn_claims.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "support/files.h"

namespace apo {
namespace {

class Claims : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  TurnClaims claims_{folder_.path(), 3};
};

TEST_F(Claims, AreReadAsTheyWereMadeToTheBit) {
  const Standing standing{0.1 + 0.2, 1e-3 / 3, 500};
  EXPECT_FALSE(claims_.find(4, 1));
  claims_.publish(4, 1, standing);
  const auto found = claims_.find(4, 1);
  ASSERT_TRUE(found && !found->lost);
  EXPECT_EQ(found->standing.loss, standing.loss);
  EXPECT_EQ(found->standing.rate, standing.rate);
  EXPECT_EQ(found->standing.step, 500);
  claims_.publish(4, 2, {std::numeric_limits<double>::infinity(), 1, 500});
  EXPECT_TRUE(std::isinf(claims_.find(4, 2)->standing.loss));
}

TEST_F(Claims, TheFirstHoldsWhoeverMakesIt) {
  claims_.publish(0, 0, {1, 0.1, 5});
  EXPECT_FALSE(claims_.give_up(0, 0, 1).lost);
  EXPECT_EQ(claims_.publish(0, 0, {2, 0.1, 5}).standing.loss, 1);
  claims_.give_up(0, 1, 2);
  EXPECT_TRUE(claims_.publish(0, 1, {1, 0.1, 5}).lost);
}

TEST_F(Claims, OfManyWhoClaimAtOnceAllComeToTheSameVerdict) {
  for (int64_t turn = 0; turn < 40; ++turn) {
    std::vector<int> lost(8);
    std::atomic<size_t> ready = 0;
    std::vector<std::thread> threads;
    for (size_t by = 0; by < lost.size(); ++by) {
      threads.emplace_back([&, by] {
        ++ready;
        while (ready < lost.size()) std::this_thread::yield();
        const TurnClaim claim =
            by == 0 ? claims_.publish(turn, 0, {1, 0.1, 5}) : claims_.give_up(turn, 0, by);
        lost[by] = claim.lost ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int verdict : lost) EXPECT_EQ(verdict, lost[0]);
    EXPECT_EQ(claims_.find(turn, 0)->lost, lost[0] == 1);
    // Of the names they were written by none is left.
    const auto made =
        std::filesystem::directory_iterator(folder_.path() / "turns" / std::to_string(turn));
    EXPECT_EQ(std::distance(begin(made), end(made)), 1);
  }
}

TEST_F(Claims, ALostMemberIsLostFromThatTurnOnForGood) {
  claims_.publish(0, 1, {1, 0.1, 5});
  EXPECT_FALSE(claims_.lost_since(1));
  claims_.give_up(12, 1, 0);
  EXPECT_EQ(claims_.lost_since(1), 12);
  EXPECT_FALSE(claims_.lost_since(0));
}

TEST_F(Claims, EventsAreThoseOfTheTurnsThatAllHaveEnded) {
  const auto events = [&] { return claims_.events({}, Range::between(1e-3, 1), 7); };
  for (size_t m = 0; m < 3; ++m) claims_.publish(0, m, {1.0 + static_cast<double>(m), 0.1, 5});
  claims_.publish(1, 0, {1, 0.1, 10});
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0].member, 2u);
  claims_.publish(1, 1, {2, 0.1, 10});
  EXPECT_EQ(events().size(), 1u);
  claims_.give_up(1, 2, 0);
  ASSERT_EQ(events().size(), 2u);  // without the lost, the second of two copies
  EXPECT_EQ(events()[1].member, 1u);
  for (size_t m = 0; m < 2; ++m) claims_.publish(2, m, {1.0 + static_cast<double>(m), 0.1, 15});
  EXPECT_EQ(events().size(), 3u);
}

TEST_F(Claims, ADamagedOneIsNamed) {
  make_folder(folder_.path() / "turns/3");
  for (const char* text : {"", "{", "[1]", R"({"loss": "x", "learning_rate": 1, "step": 2})"}) {
    write_file(folder_.path() / "turns/3/member=0.json", text);
    try {
      claims_.find(3, 0);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("turns/3/member=0.json: is damaged"),
                std::string::npos);
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

}  // namespace
}  // namespace apo
