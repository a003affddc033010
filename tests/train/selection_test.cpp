#include "apo/train/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace apo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const Range kInitial = Range::between(1e-3, 1);

/// At step 10, with rates 1, 2, 3, …
Standings standing(const std::vector<double>& losses) {
  Standings all;
  for (const double loss : losses) {
    all.push_back(Standing{loss, static_cast<double>(all.size() + 1), 10});
  }
  return all;
}

std::vector<PopulationEvent> decided(const Standings& all, int64_t turn = 0, uint64_t seed = 7) {
  return exploit_and_explore(all, turn, {}, kInitial, seed).value();
}

TEST(Selection, TheWorstCopiesTheBestAndGoesOnWithItsRateTimesAFactor) {
  std::set<double> factors;
  for (int64_t turn = 0; turn < 20; ++turn) {
    const auto events = decided(standing({3, 1, 4, 2}), turn);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].member, 2u);
    EXPECT_EQ(events[0].from, 1u);
    EXPECT_EQ(events[0].step, 10);
    EXPECT_EQ(events[0].old_rate, 3);
    factors.insert(events[0].new_rate / 2);
  }
  EXPECT_EQ(factors, (std::set<double>{0.8, 1.2}));
}

TEST(Selection, DependsOnTurnAndSeedAlone) {
  const Standings all = standing({3, 1, 4, 2, 5, 8, 7, 6, 9, 10, 11, 12});
  const auto listed = [&](int64_t turn, uint64_t seed) {
    std::vector<std::pair<size_t, double>> list;
    for (const PopulationEvent& event : decided(all, turn, seed)) {
      list.emplace_back(event.from, event.new_rate);
    }
    return list;
  };
  EXPECT_EQ(listed(3, 7), listed(3, 7));
  std::set<std::vector<std::pair<size_t, double>>> turns, seeds;
  for (int64_t i = 0; i < 8; ++i) {
    turns.insert(listed(i, 7));
    seeds.insert(listed(0, static_cast<uint64_t>(i)));
  }
  EXPECT_GT(turns.size(), 2u);
  EXPECT_GT(seeds.size(), 2u);
}

TEST(Selection, WithoutTheLostItIsThatOfTheOthers) {
  Standings all = standing({3, 1, 4, 2});
  all[1].reset();
  all[2].reset();
  const auto events = decided(all);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].member, 0u);
  EXPECT_EQ(events[0].from, 3u);
}

TEST(Selection, OneAloneGoesOnAsItIs) {
  Standings all = standing({3, 1});
  all[1].reset();
  EXPECT_TRUE(decided(all).empty());
}

TEST(Selection, EveryMemberThatIsNotFiniteCopiesAndWhereNoneIsThePopulationEnds) {
  const auto events = decided(standing({kInfinity, kInfinity, 1, kInfinity}));
  EXPECT_EQ(events.size(), 3u);
  for (const PopulationEvent& event : events) EXPECT_EQ(event.from, 2u);
  EXPECT_FALSE(exploit_and_explore(standing({kInfinity, kInfinity}), 0, {}, kInitial, 7));
}

}  // namespace
}  // namespace apo
