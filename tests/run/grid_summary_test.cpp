#include "apo/run/grid_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace apo {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

Json grid_of(const Json& more = Json::object()) {
  Json good = {{"rank", 1},
               {"label", "optimizer.name=adam,seed=0"},
               {"status", "finished"},
               {"train_loss", 0.051},
               {"test_accuracy", 0.93},
               {"learning_rate", 5.3e-5},
               {"wall_seconds", 2.2}};
  good.update(more);
  const Json bad = {{"rank", 2}, {"label", "sgd"}, {"status", "diverged"}};
  return {{"runs", {good, bad}}};
}

std::string line_of(const std::string& table, size_t number) {
  std::istringstream lines(table);
  std::string line;
  for (size_t i = 0; i <= number; ++i) std::getline(lines, line);
  return line;
}

TEST(GridTable, HasOneLineForEachRunWithItsNameLast) {
  const std::string table = grid_table(grid_of(), "runs/grid", "grid.json", 0);
  EXPECT_EQ(line_of(table, 1),
            "rank  train loss  test accuracy  learning rate  seconds    status  run");
  EXPECT_EQ(line_of(table, 2),
            "   1       0.051        93.00 %        5.3e-05        2  finished  "
            "optimizer.name=adam,seed=0");
  EXPECT_EQ(line_of(table, 3),
            "   2           -              -              -        -  diverged  sgd");
  EXPECT_THAT(table, HasSubstr("best by final training loss: optimizer.name=adam,seed=0"));
}

TEST(GridTable, ShowsWhatItIsRankedBy) {
  const Json with_validation = grid_of({{"validation_accuracy", 0.9566}});
  const std::string table = grid_table(with_validation, "runs/grid", "grid.json", 0);
  EXPECT_EQ(line_of(table, 1).find("rank  validation  train loss"), 0);
  EXPECT_THAT(line_of(table, 2), HasSubstr("95.66 %"));
}

TEST(GridTable, LeavesOutWhatANarrowTerminalHasNoRoomFor) {
  const auto head = [](size_t room) {
    return line_of(grid_table(grid_of(), "runs/grid", "grid.json", room), 1);
  };
  EXPECT_EQ(head(200), head(0));
  EXPECT_THAT(head(80), Not(HasSubstr("seconds")));
  EXPECT_THAT(head(80), HasSubstr("learning rate"));
  EXPECT_EQ(head(40), "rank  train loss  test accuracy  run");
}

}  // namespace
}  // namespace apo
