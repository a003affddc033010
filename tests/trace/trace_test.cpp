#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "apo/base/error.h"
#include "apo/trace/columns.h"
#include "apo/trace/files.h"
#include "apo/trace/jsonl.h"
#include "apo/trace/run_folder.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class TraceFiles : public testing::Test {
 protected:
  std::string text(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<Json> lines() const {
    std::vector<Json> lines;
    std::ifstream file(folder_ / "trace.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  test::TemporaryFolder folder_;
};

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
  TraceColumns columns;
  for (size_t i = 0; i < kAwkward.size(); ++i) {
    EXPECT_EQ(read[i + 1]["loss"].get<double>(), kAwkward[i]);
    columns.on_step({static_cast<int64_t>(i), kAwkward[i], -kAwkward[i]});
  }
  EXPECT_EQ(Json::parse(columns.to_json().dump())["steps"]["loss"].get<std::vector<double>>(),
            kAwkward);
}

TEST_F(TraceFiles, ValuesThatAreNotFiniteAreNull) {
  const double inf = std::numeric_limits<double>::infinity();
  TraceColumns columns;
  {
    JsonLines writer(folder_ / "trace.jsonl", "{}");
    for (Observer* observer : std::vector<Observer*>{&writer, &columns}) {
      observer->on_step({0, std::nan(""), inf});
      observer->on_meta(
          {.step = 0, .objective = inf, .gradient = {{std::nan("")}}, .skipped = true},
          {{"learning_rate", 0, 0.1}});
      observer->on_epoch({.epoch = 1, .step = 1, .train = {0.5, std::nullopt}, .test = {}});
      observer->on_end({});
    }
  }
  const auto read = lines();
  EXPECT_TRUE(read[1]["loss"].is_null());
  EXPECT_TRUE(read[2]["gradient"]["learning_rate"].is_null());
  EXPECT_TRUE(read[3]["test_loss"].is_null());
  const Json trace = Json::parse(columns.to_json().dump());
  EXPECT_TRUE(trace["steps"]["learning_rate"][0].is_null());
  EXPECT_TRUE(trace["meta"]["objective"][0].is_null());
  EXPECT_TRUE(trace["epochs"]["train_accuracy"][0].is_null());
  EXPECT_EQ(trace["meta"]["skipped"], 1);
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
  TraceColumns columns;
  columns.on_meta({.step = 10, .gradient = {{1, 2}}},
                  {{"learning_rate/fc1", 10, 0.1}, {"learning_rate/fc2", 10, 0.2}});
  const Json trace = Json::parse(columns.to_json().dump());
  EXPECT_EQ(trace["hyperparameters"]["learning_rate/fc2"]["value"], Json({0.2}));
  EXPECT_EQ(trace["meta"]["gradient"]["learning_rate/fc1"], Json({1.0}));
}

TEST_F(TraceFiles, AnUnwritableFileIsAnError) {
  EXPECT_THROW(JsonLines(folder_ / "no/trace.jsonl", "{}"), Error);
  EXPECT_THROW(write_file(folder_ / "no/x", "text"), Error);
}

TEST_F(TraceFiles, ARunFolderIsReplacedOnlyOnDemand) {
  const fs::path run = folder_ / "run";
  claim_run_folder(run, false);
  for (const char* name : {"config.yaml", "report.html"}) write_file(run / name, "name: x\n");
  EXPECT_THROW(claim_run_folder(run, false), Error);
  claim_run_folder(run, true);
  EXPECT_TRUE(fs::is_empty(run));
}

TEST_F(TraceFiles, AFolderThatIsNoRunFolderIsNeverReplaced) {
  write_file(folder_ / "thesis.tex", "years of work");
  EXPECT_THROW(claim_run_folder(folder_.path(), true), Error);
  EXPECT_EQ(text("thesis.tex"), "years of work");
}

}  // namespace
}  // namespace apo
