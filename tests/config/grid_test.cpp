#include "apo/config/grid.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "config/sample.h"

namespace apo {
namespace {

using sample::error_of;
using testing::ElementsAre;

std::vector<GridRun> expand(const std::string& text) {
  const Grid grid(Document::parse(text, "a.yaml"));
  std::vector<GridRun> runs;
  for (size_t i = 0; i < grid.size(); ++i) runs.push_back(grid.run(i));
  return runs;
}

std::vector<std::string> labels(const std::string& text) {
  std::vector<std::string> labels;
  for (const GridRun& run : expand(text)) labels.push_back(run.label);
  return labels;
}

TEST(Grid, WithoutAxesIsOneRun) {
  for (const char* text : {"", "grid:\n", "grid: {}\n", "tuner: {lambda: [3]}\n"}) {
    EXPECT_THAT(labels(text), ElementsAre("")) << text;
  }
  EXPECT_EQ(expand("tuner: {lambda: [3]}")[0].document.find("tuner.lambda")->text, "3");
}

TEST(Grid, IsTheCrossProductInTheOrderOfTheFile) {
  const char* text = "tuner: {lambda: [1, 2]}\ngrid:\n  seed: [0, 1]\n  model: {name: [mlp]}\n";
  EXPECT_THAT(labels(text),
              ElementsAre("seed=0,model.name=mlp,tuner.lambda=1",
                          "seed=0,model.name=mlp,tuner.lambda=2",
                          "seed=1,model.name=mlp,tuner.lambda=1",
                          "seed=1,model.name=mlp,tuner.lambda=2"));
}

TEST(Grid, SetsTheValuesOfEachRun) {
  const auto runs = expand("seed: 7\ngrid:\n  tuner.lambda: [0.1, 0.2]\n  seed: [3]\n");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[1].label, "tuner.lambda=0.2,seed=3");
  EXPECT_EQ(runs[1].document.find("tuner.lambda")->text, "0.2");
  EXPECT_EQ(runs[1].document.find("tuner.lambda")->where, "a.yaml:3:23");
  EXPECT_EQ(runs[1].document.find("seed")->text, "3");
  EXPECT_EQ(runs[1].document.find("grid"), nullptr);
}

TEST(Grid, TakesWholeSectionsAndListsAsValues) {
  EXPECT_THAT(labels("grid:\n  optimizer: [{name: sgd}, {momentum: 0.9, x: 1}]\n"
                     "  optimizer.learning_rate: [1]\n"),
              ElementsAre("optimizer=sgd,optimizer.learning_rate=1",
                          "optimizer=0.9+1,optimizer.learning_rate=1"));
  EXPECT_THAT(labels("grid: {model.hidden: [[10, 20], [30]]}"),
              ElementsAre("model.hidden=10+20", "model.hidden=30"));
}

TEST(Grid, LabelsAreUniqueAndFitForFolders) {
  EXPECT_THAT(labels("grid: {root: [/a b, '../a', /a_b, \"\\0\"]}"),
              ElementsAre("root=_a_b", "root=.._a", "root=_a_b_2", "root=_"));
  const auto long_ones = labels(fmt::format("grid: {{x: [{0}a, {0}b]}}", std::string(300, 'x')));
  EXPECT_NE(long_ones[0], long_ones[1]);
  EXPECT_LE(long_ones[1].size(), 255u);
}

TEST(Grid, AxesCanBeOverridden) {
  Document document = Document::parse("grid: {seed: [1, 2, 3]}", "a.yaml");
  document.set("grid.seed=[4]");
  EXPECT_EQ(Grid(document).size(), 1u);
  document.set("grid=");
  EXPECT_EQ(Grid(document).run(0).label, "");
}

struct BadText {
  std::string text;
  std::string message;
};

class BadGrid : public testing::TestWithParam<BadText> {};

TEST_P(BadGrid, IsAnErrorThatNamesThePlace) {
  EXPECT_EQ(error_of([] { expand(GetParam().text); }), "a.yaml:" + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Grid,
    BadGrid,
    testing::Values(
        BadText{"grid: [1]\n", "1:7: grid must be a mapping of keys to lists, not a list"},
        BadText{"grid: {seed: []}\n", "1:14: grid: seed has no values; at least one is needed"},
        BadText{"grid: {seed: 3}\n", "1:14: grid: seed = 3; a list of values is accepted"},
        BadText{"grid: {seed: }\n", "1:8: grid: seed is empty; a list of values is accepted"},
        BadText{"grid: {model: {}}\n",
                "1:15: grid: model is a mapping; a list of values is accepted"},
        BadText{"grid: {seed: [1, 2, 1]}\n", "1:21: grid: seed takes 1 twice"},
        BadText{"grid: {seed: [1, 1.0]}\n", "1:18: grid: seed takes 1.0 twice"},
        BadText{"grid: {a.b: [1], a: {b: [2]}}\n", "1:25: grid: a.b is given twice"},
        BadText{"grid: {a.b: [1], a: [2]}\n",
                "1:21: grid: a would replace a.b; put it before that one"},
        BadText{"grid: {grid: [1]}\n", "1:8: grid: a grid has no grid"},
        BadText{"grid: {a..b: [1]}\n", "1:15: 'a..b' is not a dotted key such as tuner.lambda"},
        BadText{"tuner: {lambda: []}\n",
                "1:17: tuner.lambda has no values; at least one is needed"},
        BadText{"tuner: {lambda: [1, 2]}\ngrid: {tuner.lambda: [3]}\n",
                "1:17: grid: tuner.lambda is given twice"},
        BadText{"seed: 3\ngrid: {seed.x: [3]}\n",
                "2:17: seed is a single value, not a section (a.yaml:1:7)"}));

TEST(Grid, OfTooManyRunsIsRefused) {
  std::string values = "[0";
  for (int i = 1; i < 101; ++i) values += fmt::format(", {}", i);
  EXPECT_EQ(error_of([&] { expand(fmt::format("grid: {{a: {0}], b: {0}]}}", values)); }),
            "a.yaml:1:7: more than 10000 runs");
}

/// [first, first + 1, …, last]
std::string range(int first, int last) {
  std::vector<int> numbers(static_cast<size_t>(last - first + 1));
  std::iota(numbers.begin(), numbers.end(), first);
  return fmt::format("[{}]", fmt::join(numbers, ", "));
}

TEST(Grid, OfAsManyRunsAsAreAcceptedIsExpandedInNoTime) {
  EXPECT_EQ(expand(fmt::format("tuner: {{lambda: {}}}", range(1, 10'000))).size(), 10'000u);
  std::string values;  // which all make the same label
  for (int i = 0; i < 10'000; ++i) {
    for (int bit = 0; bit < 14; ++bit) values += (i >> bit & 1) != 0 ? '!' : '?';
    values += i < 9'999 ? "', '" : "";
  }
  const auto all = labels(fmt::format("grid: {{a: ['{}']}}", values));
  EXPECT_EQ(all.back(), "a=" + std::string(14, '_') + "_10000");
}

}  // namespace
}  // namespace apo
