#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/columns.h"
#include "apo/trace/events.h"
#include "apo/trace/jsonl.h"
#include "apo/trace/report.h"
#include "support/trace_files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using test::Json;
using test::TraceFiles;

const std::vector<double> kAwkward = {
    0.1, 1e-300, 2.3025851249694824, 1.0 / 3, 12345678901234567.0};

TEST_F(TraceFiles, NumbersReadBackExactly) {
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}");
    for (size_t i = 0; i < kAwkward.size(); ++i) {
      writer.on_step({static_cast<int64_t>(i), kAwkward[i], -kAwkward[i]});
    }
    writer.on_end({});
  }
  const auto read = lines();
  for (size_t i = 0; i < kAwkward.size(); ++i) {
    EXPECT_EQ(read[i + 1]["loss"].get<double>(), kAwkward[i]);
  }
  EXPECT_EQ(columns()["steps"]["loss"].get<std::vector<double>>(), kAwkward);
}

TEST_F(TraceFiles, ValuesThatAreNotFiniteAreNull) {
  const double inf = std::numeric_limits<double>::infinity();
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}");
    writer.on_step({0, std::nan(""), inf});
    writer.on_meta({.step = 0, .objective = inf, .gradient = {{std::nan("")}}, .skipped = true},
                   {{"learning_rate", 0, 0.1}});
    writer.on_epoch({.epoch = 1, .step = 1, .train = {0.5, std::nullopt}, .test = {}});
    writer.on_end({});
  }
  const auto read = lines();
  EXPECT_TRUE(read[1]["loss"].is_null());
  EXPECT_TRUE(read[2]["gradient"]["learning_rate"].is_null());
  EXPECT_TRUE(read[3]["test_loss"].is_null());
  const Json trace = columns();
  EXPECT_TRUE(trace["steps"]["learning_rate"][0].is_null());
  EXPECT_TRUE(trace["meta"]["objective"][0].is_null());
  EXPECT_TRUE(trace["epochs"]["train_accuracy"][0].is_null());
  EXPECT_EQ(trace["meta"]["skipped"], 1);
}

TEST_F(TraceFiles, AveragedWeightsHaveColumnsOfTheirOwnWhereThereAreAny) {
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}");
    EpochRecord epoch{.epoch = 1, .step = 1, .train = {0.5, 0.5}, .test = Metrics{0.5, 0.5}};
    writer.on_epoch(epoch);
    epoch.average = {.train = {}, .test = Metrics{0.25, 0.75}};
    writer.on_epoch(epoch);
  }
  EXPECT_EQ(lines()[1].dump().find("average"), std::string::npos);
  EXPECT_EQ(lines()[2]["average_test_loss"], 0.25);
  EXPECT_TRUE(lines()[2]["average_train_accuracy"].is_null());
  EXPECT_EQ(columns()["epochs"]["average_test_accuracy"], Json({0.75}));

  RunSummary summary;
  EXPECT_FALSE(to_json(summary).contains("average"));
  summary.final_average = {.train = {}, .test = Metrics{0.25, 0.75}};
  EXPECT_EQ(to_json(summary)["average"].dump(),
            R"({"train":null,"test":{"loss":0.25,"accuracy":0.75}})");
}

TEST_F(TraceFiles, ARunWithoutMetaStepsHasTheirColumnsAllTheSame) {
  { JsonLines writer(folder_ / "trace.jsonl", "{}"); }
  const Json trace = columns();
  for (const char* key : {"step", "objective", "loss_term", "discrepancy"}) {
    EXPECT_EQ(trace["meta"][key], Json::array());
  }
  EXPECT_EQ(trace["hyperparameters"], Json::object());
}

TEST_F(TraceFiles, TakenBackToAStateTheTraceGoesOnFromThere) {
  const fs::path path = folder_ / "trace.jsonl";
  State state;
  const auto of = [](JsonLines& lines) {
    return [&lines](StateVisitor& visitor) { lines.visit_state(visitor); };
  };
  {
    JsonLines writer(path, R"({"type":"header"})");
    writer.on_step({0, 0.5, 0.1});
    state = state_of(of(writer));
    writer.on_step({1, 0.5, 0.1});  // of a future that will not have been
  }
  std::ofstream(path, std::ios::app) << R"({"type":"st)";  // torn
  {
    JsonLines writer(path);
    restore(state, at::kCPU, of(writer));
    writer.on_step({1, 0.25, 0.1});
  }
  const auto read = lines();
  ASSERT_EQ(read.size(), 3);
  EXPECT_EQ(read[2]["loss"], 0.25);

  fs::resize_file(path, 3);
  JsonLines shortened(path);
  EXPECT_THROW(restore(state, at::kCPU, of(shortened)), Error);
}

State saved(JsonLines& lines) {
  return state_of([&](StateVisitor& visitor) { lines.visit_state(visitor); });
}

TEST_F(TraceFiles, WhatAnotherProgramChangedBeforeTheMarkIsRefused) {
  const fs::path path = folder_ / "trace.jsonl";
  TraceMark mark;
  {
    JsonLines writer(path, R"({"type":"header"})");
    writer.on_step({0, 0.5, 0.1});
    restore(saved(writer), at::kCPU, [&](StateVisitor& visitor) { mark.visit_state(visitor); });
  }
  const std::string whole = text("trace.jsonl");
  EXPECT_EQ(mark.bytes, std::ssize(whole));
  std::string crlf = whole;
  crlf.replace(crlf.find('\n'), 1, "\r\n");
  std::string edited = whole;
  edited[edited.find("0.5")] = '1';
  for (const std::string& other : {crlf, edited, "{}\n" + whole, whole.substr(5), std::string()}) {
    std::ofstream(path, std::ios::trunc) << other;
    test::data_error_of([&] { mark.check(path); });
  }
  std::ofstream(path, std::ios::trunc) << whole << "more";  // is cut off: no harm
  EXPECT_NO_THROW(mark.check(path));
  fs::remove(path);
  EXPECT_NE(test::data_error_of([&] { mark.check(path); }).find(std::to_string(whole.size())),
            std::string::npos);
}

TEST_F(TraceFiles, WhatIsRemovedOrReplacedWhileTheRunGoesOnIsWrittenAgain) {
  const fs::path path = folder_ / "trace.jsonl";
  JsonLines writer(path, R"({"type":"header"})");
  std::vector<std::string> told;
  writer.warn = [&](const std::string& line) { told.push_back(line); };
  writer.on_step({0, 0.5, 0.1});
  saved(writer);
  EXPECT_TRUE(told.empty());
  fs::remove(path);
  writer.on_step({1, 0.25, 0.1});
  saved(writer);
  ASSERT_EQ(told.size(), 1);
  EXPECT_NE(told[0].find("removed"), std::string::npos);
  EXPECT_EQ(lines().size(), 3);

  fs::rename(path, folder_ / "moved");
  std::ofstream(path) << "mine";
  writer.on_step({2, 0.125, 0.1});
  saved(writer);
  EXPECT_EQ(told.size(), 2);
  EXPECT_EQ(text("trace.jsonl.other"), "mine");
  writer.on_step({3, 0.125, 0.1});
  saved(writer);
  EXPECT_EQ(told.size(), 2);
  EXPECT_EQ(lines().size(), 5);
}

TEST_F(TraceFiles, WhatAnotherProgramWritesIntoItIsToldAndTheRunCanBeGoneOnWith) {
  const fs::path path = folder_ / "trace.jsonl";
  State state;
  {
    JsonLines writer(path, R"({"type":"header"})");
    int told = 0;
    writer.warn = [&](const std::string&) { ++told; };
    std::ofstream(path, std::ios::app) << "{}\n";
    writer.on_step({0, 0.5, 0.1});
    state = saved(writer);
    EXPECT_EQ(told, 1);
  }
  JsonLines writer(path);
  EXPECT_NO_THROW(
      restore(state, at::kCPU, [&](StateVisitor& visitor) { writer.visit_state(visitor); }));
}

TEST_F(TraceFiles, TheFileHoldsWholeLinesWhileTheRunGoesOn) {
  JsonLines writer(folder_ / "trace.jsonl", R"({"type":"header"})");
  for (int64_t t = 0; t < 20000; ++t) {
    writer.on_step({t, 0.5, 0.1});
    if (t % 1000 != 0) continue;
    const std::string so_far = text("trace.jsonl");
    ASSERT_EQ(so_far.back(), '\n');
  }
  EXPECT_GT(lines().size(), 10000);  // written on the way, not at the end
}

TEST_F(TraceFiles, EachLayerHasItsColumn) {
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}");
    writer.on_meta({.step = 10, .gradient = {{1, 2}}},
                   {{"learning_rate/fc1", 10, 0.1}, {"learning_rate/fc2", 10, 0.2}});
  }
  const Json trace = columns();
  EXPECT_EQ(trace["hyperparameters"]["learning_rate/fc2"]["value"], Json({0.2}));
  EXPECT_EQ(trace["meta"]["gradient"]["learning_rate/fc1"], Json({1.0}));
}

TEST_F(TraceFiles, EveryNthRecordIsKeptAndEachThatMayNotBeMissed) {
  const TraceOptions options{.every = 4, .meta_every = 3, .interval = 2};
  const auto train = [](JsonLines& writer, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      if (t % 2 == 0) {
        writer.on_meta({.step = t, .gradient = {{1}}, .skipped = t == 8}, {{"power", t, 0.5}});
      }
      writer.on_step({t, t == 13 ? std::nan("") : 0.5, 0.1});
    }
  };
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}", options);
    train(writer, 0, 7);
  }
  {
    JsonLines resumed(folder_ / "trace.jsonl", options);
    train(resumed, 7, 14);
  }
  const Json trace = columns();
  EXPECT_EQ(trace["steps"]["step"], Json({0, 4, 8, 12, 13}));
  EXPECT_EQ(trace["meta"]["step"], Json({0, 6, 8, 12}));
  EXPECT_EQ(trace["meta"]["skipped"], 1);
}

/// What is on the disk of a run of 10 epochs; tuned are of a network of many layers, or none.
void expect_room_is_estimated(const fs::path& folder,
                              const TraceOptions& options,
                              const std::vector<std::string>& tuned) {
  constexpr int64_t kSteps = 10'000;
  {
    JsonLines writer(folder / "trace.jsonl", R"({"type":"header"})", options);
    EventFile events(folder, options, /*tells_gain=*/true);
    std::vector<Observer*> observers = {&writer};
    if (options.tensorboard) observers.push_back(&events);
    for (int64_t t = 0; t < kSteps; ++t) {
      const double value = static_cast<float>(std::sin(static_cast<double>(t)));
      std::vector<HyperparameterRecord> values;
      values.reserve(tuned.size());
      for (const std::string& name : tuned) values.push_back({name, t, value});
      const std::vector<double> gradient(tuned.size(), -value);
      if (options.interval > 0 && t % options.interval == 0) {
        const MetaRecord record{t, value, value, value, {gradient}};
        for (Observer* observer : observers) observer->on_meta(record, values);
      }
      for (Observer* observer : observers) observer->on_step({t, value, value, value});
      if (t % 1000 == 999) {
        const Metrics metrics{value, value};
        const EpochRecord record{.epoch = t / 1000 + 1,
                                 .step = t + 1,
                                 .train = metrics,
                                 .test = metrics,
                                 .average = {{metrics, metrics}}};
        for (Observer* observer : observers) observer->on_epoch(record);
      }
    }
  }
  std::ifstream lines(folder / "trace.jsonl");
  write_columns(lines, {}, folder / "trace.json");
  write_report(folder / "report.html", "x", {{"x", folder}});
  const auto size = [&](const char* name) {
    return static_cast<double>(fs::file_size(folder / name));
  };
  double taken = size("trace.jsonl") + 2 * size("trace.json") + size("report.html");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!is_event_file(name)) continue;
    taken += size(name.c_str());
    fs::remove(entry.path());
  }
  const double estimate = trace_bytes(options, kSteps, 10, tuned);
  EXPECT_GE(estimate, taken);
  EXPECT_LE(estimate, 3 * taken);
}

TEST_F(TraceFiles, TheRoomTheyTakeIsEstimatedFromAbove) {
  std::vector<std::string> layers;
  layers.reserve(21);
  for (int i = 0; i < 21; ++i) layers.push_back("learning_rate/stage.conv" + std::to_string(i));
  expect_room_is_estimated(folder_.path(), {.interval = 0}, {});
  expect_room_is_estimated(folder_.path(), {.interval = 10}, {"learning_rate"});
  expect_room_is_estimated(folder_.path(), {.interval = 10}, layers);
  expect_room_is_estimated(folder_.path(), {.every = 10, .meta_every = 5, .interval = 2}, layers);
  expect_room_is_estimated(folder_.path(), {.interval = 0, .tensorboard = true}, {});
  expect_room_is_estimated(folder_.path(), {.interval = 10, .tensorboard = true}, layers);
}

TEST_F(TraceFiles, AnUnwritableFileIsAnError) {
  EXPECT_THROW(JsonLines(folder_ / "no/trace.jsonl", "{}"), Error);
  EXPECT_THROW(write_file(folder_ / "no/x", "text"), Error);
}

}  // namespace
}  // namespace apo
