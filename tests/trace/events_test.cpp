#include "apo/trace/events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <map>
#include <string_view>
#include <vector>

#include "apo/base/error.h"
#include "apo/trace/events.pb.h"
#include "apo/trace/read_trace.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

/// CRC-32C bit by bit, as RFC 3720 defines it.
uint32_t crc32c(std::string_view bytes) {
  constexpr uint32_t kReflectedPolynomial = 0x82f63b78;
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    }
  }
  return ~crc;
}

uint32_t masked(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

/// Tag, step and value of every scalar.
using Scalars = std::map<std::string, std::map<int64_t, float>>;

class EventFiles : public testing::Test {
 protected:
  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      if (is_event_file(entry.path().filename().string())) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string content(const fs::path& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// What is framed in a file; every checksum is checked.
  std::vector<proto::Event> events(const fs::path& path) const {
    constexpr size_t kHead = 12;
    const std::string all = content(path);
    std::vector<proto::Event> events;
    for (std::string_view rest = all; !rest.empty();) {
      const size_t size = little_endian(rest.substr(0, 8));
      EXPECT_EQ(little_endian(rest.substr(8, 4)), masked(crc32c(rest.substr(0, 8))));
      const std::string_view data = rest.substr(kHead, size);
      EXPECT_EQ(little_endian(rest.substr(kHead + size, 4)), masked(crc32c(data)));
      EXPECT_TRUE(events.emplace_back().ParseFromString(std::string(data)));
      rest.remove_prefix(kHead + size + 4);
    }
    return events;
  }
  Scalars scalars(const fs::path& path) const {
    Scalars scalars;
    for (const proto::Event& event : events(path)) {
      for (const auto& value : event.summary().value()) {
        EXPECT_TRUE(scalars[value.tag()].emplace(event.step(), value.simple_value()).second);
      }
    }
    return scalars;
  }

  test::TemporaryFolder folder_;
};

TEST_F(EventFiles, TheChecksumsOfTheTestsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aa);  // RFC 3720, B.4
}

TEST_F(EventFiles, OneBeginsWithItsVersionAndTheStepThatItBeginsAt) {
  { EventFile(folder_.path(), {}, true).on_step({3, 0.5, 0.1}); }
  ASSERT_EQ(files().size(), 1);
  const auto read = events(files()[0]);
  ASSERT_EQ(read.size(), 3);
  EXPECT_EQ(read[0].file_version(), "brain.Event:2");
  EXPECT_EQ(read[1].session_log().status(), proto::SessionLog::START);
  EXPECT_EQ(read[1].step(), 3);
  const double seconds = static_cast<double>(std::time(nullptr));
  EXPECT_NEAR(read[2].wall_time(), seconds, 100);
}

TEST_F(EventFiles, EveryRecordIsAnEventOfItsNumbers) {
  {
    EventFile file(folder_.path(), {}, true);
    file.on_meta({.step = 0, .objective = 1.5, .loss_term = 0.25, .discrepancy = 4, .gradient = {}},
                 {{"learning_rate/fc1", 0, 0.5}, {"power", 0, 0}});
    file.on_step({0, 0.75, 0.125, 0.25});
    file.on_step({1, 0, std::nan("")});
    file.on_epoch({.epoch = 1,
                   .step = 2,
                   .train = {0.5, 0.25},
                   .test = Metrics{0.125, std::nullopt},
                   .wall_seconds = 3,
                   .average = {{std::nullopt, Metrics{2, 1}}},
                   .meta_share = 0.25});
    file.on_end({});
  }
  Scalars read = scalars(files()[0]);
  EXPECT_TRUE(std::isnan(read["train/learning_rate"].extract(1).mapped()));
  const Scalars expected = {{"meta/objective", {{0, 1.5}}},
                            {"meta/loss_term", {{0, 0.25}}},
                            {"meta/discrepancy", {{0, 4}}},
                            {"meta/movement", {{0, 2}}},
                            {"meta/gain", {{0, 0.5}}},
                            {"meta/share", {{2, 0.25}}},
                            {"hyperparameters/learning_rate/fc1", {{0, 0.5}}},
                            {"hyperparameters/power", {{0, 0}}},
                            {"train/loss", {{0, 0.75}, {1, 0}}},
                            {"train/learning_rate", {{0, 0.125}}},
                            {"train/learned_rate", {{0, 0.25}}},
                            {"train/epoch_loss", {{2, 0.5}}},
                            {"train/accuracy", {{2, 0.25}}},
                            {"test/loss", {{2, 0.125}}},
                            {"average/test_loss", {{2, 2}}},
                            {"average/test_accuracy", {{2, 1}}},
                            {"time/wall_seconds", {{2, 3}}}};
  EXPECT_EQ(read, expected);
}

TEST_F(EventFiles, TheGainIsToldOnlyWhereTheLossTermIsALoss) {
  {
    EventFile file(folder_.path(), {}, /*tells_gain=*/false);
    file.on_meta({.step = 0, .loss_term = 0.25, .gradient = {}}, {});
    file.on_step({0, 0.75, 0.1});
  }
  EXPECT_EQ(scalars(files()[0]).count("meta/gain"), 0);
}

TEST_F(EventFiles, WhatTheTraceKeepsIsKept) {
  {
    EventFile file(folder_.path(), {.every = 4, .meta_every = 3, .interval = 2}, true);
    for (int64_t t = 1; t < 10; ++t) {
      if (t % 2 == 0)
        file.on_meta({.step = t, .loss_term = 0, .gradient = {}, .skipped = t == 8}, {});
      file.on_step({t, 0.5, 0.1});
    }
  }
  EXPECT_EQ(events(files()[0])[1].step(), 1);
  Scalars read = scalars(files()[0]);
  EXPECT_EQ(read["train/loss"], (std::map<int64_t, float>{{4, 0.5}, {8, 0.5}}));
  EXPECT_EQ(read["meta/loss_term"], (std::map<int64_t, float>{{6, 0}, {8, 0}}));
  EXPECT_EQ(read["meta/gain"], (std::map<int64_t, float>{{6, 0.5}, {8, 0.5}}));
}

TEST_F(EventFiles, ARunThatGoesBackBeginsALaterFileAndTellsItsEpochAgain) {
  const EpochRecord epoch{.epoch = 1, .step = 2, .train = {0.5, std::nullopt}, .test = {}};
  EventFile file(folder_.path(), {}, true);
  for (const int64_t t : {0, 1}) file.on_step({t, 0.5, 0.1});
  file.on_epoch(epoch);
  file.sync();
  const std::string before = content(files()[0]);
  file.on_step({2, 7, 0.1});  // of a future that will not have been
  file.go_back(epoch);
  file.on_step({2, 0.25, 0.1});
  file.sync();
  ASSERT_EQ(files().size(), 2);
  EXPECT_TRUE(content(files()[0]).starts_with(before));
  const auto read = events(files()[1]);
  EXPECT_EQ(read[1].step(), 2);
  EXPECT_EQ(read[1].session_log().status(), proto::SessionLog::START);
  Scalars scalars = this->scalars(files()[1]);
  EXPECT_EQ(scalars["train/epoch_loss"], (std::map<int64_t, float>{{2, 0.5}}));
  EXPECT_EQ(scalars["train/loss"], (std::map<int64_t, float>{{2, 0.25}}));

  file.go_back(epoch);  // an epoch that ended before is not forgotten
  file.on_step({3, 0.25, 0.1});
  file.sync();
  EXPECT_EQ(this->scalars(files()[2]).count("train/epoch_loss"), 0);
}

TEST_F(EventFiles, WhatIsThereIsReadableWhileTheRunGoesOn) {
  EventFile file(folder_.path(), {}, true);
  for (int64_t t = 0; t < 5000; ++t) file.on_step({t, 0.5, 0.1});
  EXPECT_GT(scalars(files()[0])["train/loss"].size(), 1000);  // on the way, in whole events
}

TEST_F(EventFiles, OneThatIsRemovedIsFollowedByAnother) {
  EventFile file(folder_.path(), {}, true);
  std::vector<std::string> told;
  file.warn = [&](const std::string& line) { told.push_back(line); };
  file.on_step({0, 0.5, 0.1});
  file.sync();
  fs::remove(files()[0]);
  file.on_step({1, 0.5, 0.1});
  file.sync();
  file.on_step({2, 0.5, 0.1});
  file.sync();
  ASSERT_EQ(files().size(), 1);
  EXPECT_EQ(scalars(files()[0])["train/loss"].size(), 2);
  EXPECT_EQ(told.size(), 1);
}

TEST_F(EventFiles, OneThatCannotBeMadeIsAnError) {
  std::ofstream(folder_ / "file");
  EventFile file(folder_ / "file/runs", {}, true);
  EXPECT_THROW(file.on_step({0, 0.5, 0.1}), Error);
}

TEST_F(EventFiles, TheLastEpochIsReadFromTheTrace) {
  const fs::path path = folder_ / "trace.jsonl";
  const Metrics metrics{0.5, 0.25};
  const EpochRecord epoch{.epoch = 2,
                          .step = 8,
                          .train = metrics,
                          .test = metrics,
                          .learning_rate = 0.1,
                          .wall_seconds = 3,
                          .learned_rate = 0.2,
                          .average = {{std::nullopt, metrics}}};
  const auto trace = [&](const std::string& end) {
    std::ofstream(path) << line_of(StepRecord{7, 0.5, 0.1}) << line_of(epoch) << end;
    return last_epoch(path);
  };
  const auto read = trace(line_of(RollbackRecord{9, 8, 0.1}) + line_of(WarningRecord{"a", 8, "b"}));
  ASSERT_TRUE(read);
  EXPECT_EQ(line_of(*read), line_of(epoch));
  EXPECT_FALSE(trace(line_of(StepRecord{8, 0.5, 0.1})));
  EXPECT_FALSE(trace("{"));
  EXPECT_FALSE(last_epoch(folder_ / "none"));
}

}  // namespace
}  // namespace apo
