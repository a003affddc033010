#include "apo/run/folder_exchange.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <limits>
#include <thread>

#include "apo/base/error.h"
#include "apo/checkpoint/checkpoint.h"
#include "support/files.h"

namespace apo {
namespace {

/// Members of a population, each with an exchange of its own as in a process of its own.
class Exchanges : public testing::Test {
 protected:
  FolderExchange make(size_t member, double patience = 60) {
    return FolderExchange({.folder = folder_.path(),
                           .members = 3,
                           .member = member,
                           .patience = patience,
                           .interrupted = [this] { return interrupted_.load(); },
                           .save = [this](int64_t) { ++saved_; },
                           .tell = [](const std::string&) {}});
  }

  static Standings at(double loss) { return {Standing{loss, 0.1, 5}}; }

  test::TemporaryFolder folder_;
  std::atomic<int> saved_ = 0;
  std::atomic<bool> interrupted_ = false;
};

TEST_F(Exchanges, EachLearnsHowAllStand) {
  std::vector<std::future<std::optional<Standings>>> met;
  for (size_t m = 0; m < 3; ++m) {
    met.push_back(std::async(std::launch::async,
                             [this, m] { return make(m).meet(0, at(static_cast<double>(m))); }));
  }
  for (auto& all : met) {
    const Standings standings = all.get().value();
    for (size_t m = 0; m < 3; ++m) EXPECT_EQ(standings[m]->loss, static_cast<double>(m));
  }
  EXPECT_EQ(saved_, 3);
}

TEST_F(Exchanges, AfterTheirPatienceAllAreWithoutTheSameAndItLearnsThat) {
  std::vector<std::future<std::optional<Standings>>> met;
  for (const size_t m : {0, 2}) {
    met.push_back(
        std::async(std::launch::async, [this, m] { return make(m, 0.05).meet(0, at(1)); }));
  }
  for (auto& all : met) {
    const Standings standings = all.get().value();
    EXPECT_TRUE(standings[0] && !standings[1] && standings[2]);
  }
  FolderExchange late = make(1);
  EXPECT_EQ(late.lost_since(), 0);
  EXPECT_FALSE(late.meet(0, at(1)));
  // The others do not wait for it any more.
  FolderExchange first = make(0), last = make(2);
  auto other = std::async(std::launch::async, [&] { return last.meet(1, at(1)); });
  EXPECT_FALSE(first.meet(1, at(1)).value()[1]);
  other.get();
}

TEST_F(Exchanges, OneThatIsBehindGoesThroughATurnAsItWas) {
  const TurnClaims claims(folder_.path(), 3);
  for (size_t m = 0; m < 3; ++m) claims.publish(0, m, {1, 0.1, 5});
  claims.give_up(1, 2, 0);
  const Standings standings = make(1).meet(0, at(1)).value();
  EXPECT_TRUE(standings[2]);  // lost only later
}

TEST_F(Exchanges, AnInterruptionEndsTheWait) {
  auto met = std::async(std::launch::async, [this] { return make(0).meet(0, at(1)); });
  interrupted_ = true;
  EXPECT_FALSE(met.get());
  EXPECT_TRUE(TurnClaims(folder_.path(), 3).find(0, 0));  // what it said holds
}

/// Nobody copies it, but it goes on from what it saved: an older checkpoint would have it want a
/// turn's states that are gone.
TEST_F(Exchanges, WhoIsNotFiniteSavesAsTheOthersDo) {
  interrupted_ = true;
  make(0).meet(0, at(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(saved_, 1);
}

TEST_F(Exchanges, AStateIsReadFromTheOthersCheckpoint) {
  Tensor theta = at::ones({3});
  const auto visit = [](Tensor& into) {
    return [&into](StateVisitor& visitor) { visitor.tensor("theta", into); };
  };
  const State state =
      state_of([&](StateVisitor& visitor) { visitor.section(kPopulationSection, visit(theta)); });
  const auto checkpoints = folder_.path() / "member=2/checkpoints";
  std::filesystem::create_directories(checkpoints);
  write_checkpoint(checkpoints, {.step = 5, .config = {}, .state = state});
  Tensor copy;
  make(0).restore(2, 5, visit(copy));
  EXPECT_TRUE(at::equal(copy, theta));
  EXPECT_THROW(make(0).restore(1, 5, visit(copy)), Error);
}

}  // namespace
}  // namespace apo
