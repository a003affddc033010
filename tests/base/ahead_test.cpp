#include "apo/base/ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace apo {
namespace {

TEST(Ahead, GivesThingsInTheOrderInWhichTheyAreMade) {
  int made = 0;
  Ahead<int> numbers([&made] { return made++; }, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(numbers.next(), i);
}

TEST(Ahead, MakesAsManyAsAreWantedAndNoMore) {
  std::atomic<int> made = 0;
  Ahead<int> numbers([&made] { return made++; }, 2);
  numbers.next();
  while (made < 3) std::this_thread::yield();  // one is taken, two wait
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(made, 3);
}

TEST(Ahead, PassesOnWhatMakingThrowsBehindWhatWasMadeBefore) {
  int made = 0;
  Ahead<int> numbers(
      [&made] {
        if (made == 2) throw std::runtime_error("no third");
        return made++;
      },
      4);
  EXPECT_EQ(numbers.next(), 0);
  EXPECT_EQ(numbers.next(), 1);
  for (int again = 0; again < 2; ++again) {
    try {
      numbers.next();
      ADD_FAILURE() << "there is a third";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "no third");
    }
  }
}

TEST(Ahead, EndsWhereverItsThreadIsAndKeepsNothing) {
  auto thing = std::make_shared<int>(1);
  for (int i = 0; i < 200; ++i) {  // asleep with all made, or in the midst of making
    Ahead<std::shared_ptr<int>> things([thing] { return thing; }, 3);
    if (i % 2 == 0) things.next();
  }
  EXPECT_EQ(thing.use_count(), 1);
}

}  // namespace
}  // namespace apo
