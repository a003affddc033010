#include "apo/run/report_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "apo/base/files.h"
#include "config/sample.h"
#include "support/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using sample::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

class ReportRuns : public testing::Test {
 protected:
  std::string make_run(const std::string& name) const {
    fs::create_directories(folder_ / name);
    write_file(folder_ / name / "trace.json", R"({"steps": {"step": [0], "loss": [1]}})");
    return folder_ / name;
  }

  std::string make_grid(const std::string& name,
                        const std::string& file,
                        const std::vector<std::string>& labels) const {
    Json runs = Json::array();
    for (const std::string& label : labels) {
      make_run(name + "/" + label);
      runs.push_back(
          {{"label", label}, {"folder", label}, {"status", "failed"}, {"message", "why"}});
    }
    write_file(folder_ / name / file, Json({{"runs", runs}}).dump());
    return folder_ / name;
  }

  std::vector<std::string> labels_of(std::vector<std::string> words) const {
    words.insert(words.begin(), folder_ / "x.html");
    testing::internal::CaptureStdout();
    report_words(words);
    testing::internal::GetCapturedStdout();
    return labels_in("x.html");
  }

  std::vector<std::string> labels_in(const std::string& name) const {
    std::ifstream file(folder_ / name);
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    const size_t begin = page.find("{\"most\"");
    const Json data = Json::parse(page.substr(begin, page.find("</script", begin) - begin));
    std::vector<std::string> labels;
    for (const Json& run : data["runs"]) labels.push_back(run["label"]);
    return labels;
  }

  test::TemporaryFolder folder_;
};

TEST_F(ReportRuns, AreCalledByWhatTellsTheirPathsApart) {
  EXPECT_THAT(labels_of({make_run("one/a")}), ElementsAre("a"));
  EXPECT_THAT(labels_of({make_run("one/a"), make_run("one/b/")}), ElementsAre("a", "b"));
  EXPECT_THAT(labels_of({make_run("one/a"), make_run("two/a")}), ElementsAre("one/a", "two/a"));
  EXPECT_THAT(labels_of({make_run("one"), make_run("one/a")}), ElementsAre("one", "one/a"));
}

TEST_F(ReportRuns, AreCalledByTheirLabelsThoughFoldersHoldEqualSigns) {
  EXPECT_THAT(
      labels_of(
          {"SGD=" + make_run("a"), "λ=0.1=" + make_run("tuner.lambda=0.1"), make_run("seed=1")}),
      ElementsAre("SGD", "λ=0.1", "seed=1"));
}

TEST_F(ReportRuns, OfAGridOrAPopulationStandForItsFolder) {
  const std::string grid = make_grid("grid", "grid.json", {"seed=0", "seed=1"});
  make_grid("grid/seed=1", "population.json", {"member=0", "member=1"});
  EXPECT_THAT(labels_of({grid}), ElementsAre("seed=0", "seed=1/member=0", "seed=1/member=1"));
  EXPECT_THAT(labels_of({make_run("a"), grid}),
              ElementsAre("a", "grid/seed=0", "grid/seed=1/member=0", "grid/seed=1/member=1"));
  report_folder(grid, "grid", {{"seed=2", "", "not started"}});
  EXPECT_EQ(labels_in("grid/report.html").back(), "seed=2");
}

TEST_F(ReportRuns, ThatAreNoneAreAnError) {
  const std::string run = make_run("a");
  EXPECT_THAT(error_of([&] { report_words({run, run}); }), HasSubstr("something.html"));
  EXPECT_THAT(error_of([&] { report_words({"x.html"}); }), HasSubstr("folders of the runs"));
  EXPECT_THAT(error_of([&] {
                report_words({"x.html", folder_ / "nothing"});
              }),
              HasSubstr("nothing: is no folder of a run"));
}

TEST_F(ReportRuns, OfAGridAreShownOrTheWarningIsOneLine) {
  fs::create_directories(folder_ / "grid/report.html.tmp");  // in the way
  testing::internal::CaptureStderr();
  report_folder(folder_ / "grid", "grid");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("warning: no report: [^\n]*\n"));
}

}  // namespace
}  // namespace apo
