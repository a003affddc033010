#include "apo/trace/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Console, DrawsALiveLineInPlace) {
  testing::internal::CaptureStderr();
  Console console(
      {.live = true, .total_steps = 200, .steps_per_epoch = 20, .log = [](const std::string&) {}});
  console.on_step({29, 0.25, 0.01});
  const std::string drawn = testing::internal::GetCapturedStderr();
  EXPECT_THAT(drawn,
              AllOf(HasSubstr("\r"),
                    HasSubstr("epoch 2/10"),
                    HasSubstr("step 30/200"),
                    HasSubstr("loss 0.25"),
                    HasSubstr("lr 0.01"),
                    HasSubstr("left")));
}

TEST(Console, TheLiveLineKeepsWhatFitsTheTerminal) {
  for (const size_t columns : {20, 40, 60, 80}) {
    setenv("COLUMNS", std::to_string(columns).c_str(), 1);
    testing::internal::CaptureStderr();
    Console console({.live = true,
                     .total_steps = 123'456,
                     .steps_per_epoch = 600,
                     .log = [](const std::string&) {}});
    console.on_step({99'999, 0.12345, 1.234e-5});
    const std::string drawn = testing::internal::GetCapturedStderr();
    EXPECT_LT(drawn.size() - std::string("\r\x1b[K").size(), columns) << drawn;
    EXPECT_THAT(drawn, HasSubstr("step 100000/123456"));
  }
  unsetenv("COLUMNS");
}

TEST(Console, LogsOneLinePerEpochAndWarnsOnceOfSkippedMetaSteps) {
  std::vector<std::string> lines;
  Console console({.live = false,
                   .total_steps = 200,
                   .steps_per_epoch = 20,
                   .log = [&](const std::string& line) { lines.push_back(line); }});
  MetaRecord skipped;
  skipped.skipped = true;
  console.on_step({0, 0.25, 0.01});
  console.on_meta(skipped, {});
  console.on_meta(skipped, {});
  EpochRecord epoch;
  epoch.epoch = 3;
  epoch.train = {0.125, 0.5};
  epoch.wall_seconds = 3725;
  console.on_epoch(epoch);
  epoch.average = {.train = {}, .test = Metrics{0.375, 0.625}};
  console.on_epoch(epoch);
  ASSERT_EQ(lines.size(), 3);
  EXPECT_THAT(lines[0], HasSubstr("warning"));
  EXPECT_THAT(lines[1], AllOf(HasSubstr("0.125"), HasSubstr("50.00 %"), HasSubstr("1h02m")));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("of the average 0.375"), HasSubstr("62.50 %")));
}

TEST(Console, SaysAWarningOfEachKindOnceThoughARollbackTellsItAgain) {
  std::vector<std::string> lines;
  Console console({.log = [](const std::string&) { FAIL(); },
                   .warn = [&](const std::string& line) { lines.push_back(line); }});
  for (const char* kind : {"unmoved", "unmoved", "at_bound"}) console.on_warning({kind, 7, "why"});
  EXPECT_EQ(lines, std::vector<std::string>(2, "warning: step 7: why"));
}

}  // namespace
}  // namespace apo
