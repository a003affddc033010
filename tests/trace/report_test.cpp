#include "apo/trace/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/columns.h"
#include "apo/trace/jsonl.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "</script><script>alert(1)</script>\"&{{data}}";

class Report : public testing::Test {
 protected:
  /// The files of a run of two epochs and a half with 4 steps each.
  fs::path make_run(const std::string& name,
                    int64_t steps = 10,
                    const std::string& message = "",
                    const Json& config = nullptr) {
    const Json header = {{"type", "header"}, {"config", config}};
    const AverageMetrics average{.train = Metrics{0.5, 0.5}, .test = Metrics{0.125, 0.75}};
    RunSummary summary;
    summary.status = message.empty() ? RunStatus::finished : RunStatus::diverged;
    summary.message = message;
    summary.steps = steps;
    summary.wall_seconds = 5;
    fs::create_directories(folder_ / name);
    {
      JsonLines columns(folder_ / name / "trace.jsonl", header.dump());
      for (int64_t t = 0; t < steps; ++t) {
        if (t % 2 == 0) {
          if (t == 4) columns.on_warning({"unmoved", t, "it <stands>"});
          columns.on_meta(
              {.step = t, .gradient = {{0, 0}, {0}}},
              {{"learning_rate/fc1", t, 0.1}, {"learning_rate/fc2", t, 0.2}, {"power", t, 0.5}});
        }
        columns.on_step({t, t == 3 ? std::nan("") : 1.0 / static_cast<double>(t + 1), 0.125});
        const int64_t epoch = (t + 1) / 4;
        if ((t + 1) % 4 != 0 || epoch > 2) continue;
        columns.on_epoch({.epoch = epoch,
                          .step = t + 1,
                          .train = {0.75, 0.5},
                          .test = epoch == 2 ? std::optional<Metrics>({0.25, 0.875}) : std::nullopt,
                          .wall_seconds = 2.0 * static_cast<double>(epoch),
                          .average = average});
      }
    }
    {
      std::ifstream lines(folder_ / name / "trace.jsonl");
      write_columns(lines, {{"config", config}}, folder_ / name / "trace.json");
    }
    write_file(folder_ / name / "summary.json", to_json(summary).dump());
    return folder_ / name;
  }

  std::string page(const std::string& title, const std::vector<ReportRun>& runs) const {
    write_report(folder_ / "report.html", title, runs);
    std::ifstream file(folder_ / "report.html");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// What the page's scripts read: an element ends at the first "</script".
  static Json data_in(const std::string& page) {
    const std::string open = R"(<script type="application/json" id="data">)";
    const size_t begin = page.find(open) + open.size();
    return Json::parse(page.substr(begin, page.find("</script", begin) - begin));
  }

  test::TemporaryFolder folder_;
};

TEST_F(Report, HoldsTheDataOfEveryRun) {
  const Json data = data_in(page("two", {{"a", make_run("a")}, {"b", make_run("b")}}));
  ASSERT_EQ(data["runs"].size(), 2);
  EXPECT_EQ(data["runs"][0]["label"], "a");
  const Json& run = data["runs"][1];
  EXPECT_EQ(run["label"], "b");
  EXPECT_EQ(run["status"], "finished");
  EXPECT_EQ(run["loss"]["x"], Json({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(run["loss"]["y"][4], 0.2);
  EXPECT_EQ(run["learning_rate"]["y"][9], 0.125);
  EXPECT_EQ(run["warnings"], Json({"step 4: it <stands>"}));
  EXPECT_EQ(run["epoch_loss"].dump(), R"({"x":[4,8],"y":[0.75,0.75]})");
  EXPECT_EQ(run["hyperparameters"]["learning_rate/fc2"]["y"], Json({0.2, 0.2, 0.2, 0.2, 0.2}));
  EXPECT_EQ(run["hyperparameters"]["power"]["x"], Json({0, 2, 4, 6, 8}));
}

TEST_F(Report, ALossThatIsNotFiniteIsAGapAndAnEpochWithoutTestIsNone) {
  const Json run = data_in(page("one", {{"a", make_run("a")}}))["runs"][0];
  EXPECT_TRUE(run["loss"]["y"][3].is_null());
  EXPECT_EQ(run["test_accuracy"].dump(), R"({"x":[8],"y":[87.5]})");
  EXPECT_EQ(run["test_loss"].dump(), R"({"x":[8],"y":[0.25]})");
  EXPECT_EQ(run["final"]["test_loss"], 0.25);
  EXPECT_EQ(run["average_test_accuracy"].dump(), R"({"x":[4,8],"y":[75.0,75.0]})");
  EXPECT_EQ(run["average_train_loss"].dump(), R"({"x":[4,8],"y":[0.5,0.5]})");
  EXPECT_EQ(run["final"]["average_test_accuracy"], 0.75);
}

TEST_F(Report, IsTheSameFromTheLinesAsFromTheColumns) {
  const fs::path run = make_run("a", 2500, "", {{"seed", 1}});
  const std::string from_lines = page("x", {{"a", run}});
  fs::remove(run / "trace.jsonl");
  EXPECT_EQ(data_in(page("x", {{"a", run}})), data_in(from_lines));
}

TEST_F(Report, SaysWhatSetsRunsApartAndWhatTheyShare) {
  const auto config = [](double lambda, const Json& hidden) {
    return Json{{"name", "n" + std::to_string(lambda)},
                {"seed", 3},
                {"model", {{"name", "mlp"}, {"hidden", hidden}}},
                {"tuner", {{"lambda", lambda}}}};
  };
  Json with_more = config(0.5, {16, 8});
  with_more["tuner"]["lean"] = true;
  const Json data = data_in(page("x",
                                 {{"a", make_run("a", 10, "", config(0.25, {16, 8}))},
                                  {"b", make_run("b", 10, "", with_more)},
                                  {"c", folder_ / "missing"}}));
  EXPECT_EQ(data["settings"].dump(), R"({"seed":"3","model.name":"mlp","model.hidden":"[16,8]"})");
  EXPECT_EQ(data["runs"][0]["settings"].dump(), R"({"tuner.lambda":"0.25"})");
  EXPECT_EQ(data["runs"][1]["settings"].dump(), R"({"tuner.lambda":"0.5","tuner.lean":"true"})");
  EXPECT_TRUE(data["runs"][2]["settings"].empty());
  const Json alone = data_in(page("x", {{"b", folder_ / "b"}}));
  EXPECT_EQ(alone["settings"].size(), 5);
  EXPECT_TRUE(alone["runs"][0]["settings"].empty());
}

TEST_F(Report, KnowsEpochsAndSecondsAtTheEndOfARunThatStoppedWithinAnEpoch) {
  const Json run = data_in(page("one", {{"a", make_run("a")}}))["runs"][0];
  EXPECT_EQ(run["clock"].dump(),
            R"({"step":[0,4,8,10],"epoch":[0,1.0,2.0,2.5],"seconds":[0,2.0,4.0,5.0]})");
}

TEST_F(Report, NamesAndMessagesCannotBreakThePage) {
  const fs::path run = make_run("a", 10, kHostile);
  const std::string hostile = page(kHostile, {{kHostile, run}});
  const std::string harmless = page("x", {{"x", make_run("b")}});
  const auto scripts = [](const std::string& page) {
    const std::regex tag("<script");
    return std::distance(std::sregex_iterator(page.begin(), page.end(), tag), {});
  };
  EXPECT_EQ(scripts(hostile), scripts(harmless));
  EXPECT_THAT(hostile, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(hostile,
              HasSubstr("<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/"
                        "script&gt;&quot;&amp;{{data}}</title>"));
  const Json data = data_in(hostile);
  EXPECT_EQ(data["runs"][0]["label"], kHostile);
  EXPECT_EQ(data["runs"][0]["message"], kHostile);
}

TEST_F(Report, TextThatIsNoUtf8IsReplaced) {
  EXPECT_EQ(data_in(page("x", {{"\xff", make_run("a")}}))["runs"][0]["label"], "\xEF\xBF\xBD");
}

TEST_F(Report, LoadsNothing) {
  const std::string text = page("x", {{"a", make_run("a")}});
  EXPECT_THAT(text,
              HasSubstr(R"(http-equiv="Content-Security-Policy" content="default-src 'none')"));
  EXPECT_FALSE(std::regex_search(text, std::regex(R"((src|href|action)\s*=\s*["'])")));
  EXPECT_FALSE(
      std::regex_search(text, std::regex(R"(@import|url\(|fetch\(|XMLHttpRequest|import\()")));
  EXPECT_THAT(text, HasSubstr("Chart.js v"));  // carried along, with its licence
  EXPECT_THAT(text, Not(testing::ContainsRegex("\\{\\{[a-z.]+\\}\\}")));
}

TEST_F(Report, OfARunThatStillGoesOnShowsWhatItHasWritten) {
  fs::create_directories(folder_ / "a");
  JsonLines lines(folder_ / "a" / "trace.jsonl", R"({"type":"header","name":"a"})");
  lines.on_step({0, 2, 0.5});
  lines.on_meta({.step = 1, .gradient = {{0}}}, {{"damping", 1, 0.01}});
  lines.on_step({1, 1, 0.25});
  lines.on_epoch({.epoch = 1, .step = 2, .train = {1.5, 0.5}, .test = {}, .wall_seconds = 3});
  std::ofstream(folder_ / "a" / "trace.jsonl", std::ios::app) << R"({"type":"step","st)";
  const Json run = data_in(page("x", {{"a", folder_ / "a"}}))["runs"][0];
  EXPECT_EQ(run["status"], "unfinished");
  EXPECT_EQ(run["loss"].dump(), R"({"x":[0,1],"y":[2.0,1.0]})");
  EXPECT_EQ(run["hyperparameters"]["damping"].dump(), R"({"x":[1],"y":[0.01]})");
  EXPECT_EQ(run["final"]["train_loss"], 1.5);
  EXPECT_EQ(run["final"]["steps"], 2);
  EXPECT_EQ(run["final"]["seconds"], 3);
}

TEST_F(Report, ARunWithoutFilesHasItsPlaceAndItsReason) {
  const Json runs = data_in(page(
      "x",
      {{"a", make_run("a")}, {"b", folder_ / "b", "failed", "no such data"}, {"c", ""}}))["runs"];
  EXPECT_EQ(runs[1]["status"], "failed");
  EXPECT_EQ(runs[1]["message"], "no such data");
  EXPECT_TRUE(runs[1]["loss"]["x"].empty());
  EXPECT_EQ(runs[2]["status"], "missing");
}

TEST_F(Report, OfManyLongRunsStaysSmall) {
  const fs::path run = make_run("long", 3000);
  const std::string text = page("x", std::vector<ReportRun>(60, {"a", run}));
  const Json data = data_in(text);
  EXPECT_EQ(data["runs"].size(), 60);
  EXPECT_LT(data.dump().size(), 2'200'000);
  EXPECT_LE(data["runs"][59]["loss"]["x"].size(), data["most"].get<size_t>());
  EXPECT_EQ(data["runs"][59]["loss"]["x"].back(), 2999);
}

TEST_F(Report, WhatCannotBeWrittenIsAnErrorOrAWarning) {
  EXPECT_THROW(write_report(folder_ / "no/report.html", "x", {}), Error);
  EXPECT_THAT(try_write_report(folder_ / "no/report.html", "x", {}), HasSubstr("no/report.html"));
  write_file(folder_ / "summary.json", R"({"status": 7})");
  EXPECT_THAT(try_write_report(folder_ / "report.html", "x", {{"a", folder_.path()}}),
              HasSubstr("warning: no report"));
}

}  // namespace
}  // namespace apo
