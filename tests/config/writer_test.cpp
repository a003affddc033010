#include "apo/config/writer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "apo/config/reader.h"
#include "apo/config/scalar.h"
#include "config/sample.h"

namespace apo {
namespace {

using sample::Workshop;
using Json = nlohmann::ordered_json;

TEST(Writer, WritesEveryFieldWithItsValue) {
  Workshop workshop;
  workshop.rate = 1e-5;
  EXPECT_EQ(to_yaml(options_to_json(workshop)),
            "name: workshop\n"
            "seed: 0\n"
            "loud: false\n"
            "colour: red\n"
            "tuner:\n"
            "  tune: [rate]\n"
            "  rate: 1.0e-05\n"
            "  lambda: 0.1\n"
            "tool:\n"
            "  name: hammer\n"
            "  weight: 1.5\n"
            "  sizes: [10, 20]\n"
            "limits:\n"
            "  low: 0\n"
            "  high: 10\n");
}

TEST(Writer, GoesRoundFromYamlThroughStructAndBack) {
  const auto read = [](const std::string& text) {
    Workshop workshop;
    read_into(Document::parse(text, "a.yaml"), workshop);
    return options_to_json(workshop);
  };
  const Json first = read(
      "name: 'true'\nseed: 9223372036854775807\nloud: true\n"
      "tuner: {tune: [], rate: auto, lambda: 0.30000000000000004}\n"
      "tool: {name: saw}\nlimits: {low: -9223372036854775808}\n");
  EXPECT_EQ(first["tuner"]["rate"], "auto");
  EXPECT_EQ(read(to_yaml(first)), first);
}

class YamlText : public testing::TestWithParam<std::string> {};

TEST_P(YamlText, ReadsBackAsTheSameString) {
  const Json json = {{"key", GetParam()}, {"list", {GetParam(), "x"}}, {GetParam() + "k", 1}};
  const Document document = Document::parse(to_yaml(json), "a.yaml");
  EXPECT_TRUE(document.find("key")->is_scalar());
  EXPECT_EQ(document.find("key")->text, GetParam());
  EXPECT_EQ(document.find("list")->items.at(0).text, GetParam());
  EXPECT_NE(document.root().find(GetParam() + "k"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Writer,
                         YamlText,
                         testing::Values("plain",
                                         "",
                                         " ",
                                         "a: b",
                                         "a #b",
                                         "- x",
                                         "[x]",
                                         "*x",
                                         "a,b",
                                         "null",
                                         "~",
                                         "true",
                                         "no",
                                         "1e3",
                                         "-.inf",
                                         "two\nlines\n",
                                         "tab\t\x01",
                                         "'\"\\",
                                         "cuda:0",
                                         "/data/öl",
                                         "---",
                                         "..."));

TEST(Writer, QuotesStringsThatLookLikeSomethingElse) {
  for (const char* text : {"1", "0.5", "true", "null", "yes", "2024-01-01", "1:30"}) {
    EXPECT_EQ(to_yaml(Json(text)), fmt::format("\"{}\"\n", text));
  }
  EXPECT_EQ(to_yaml(Json("cifar10_resnet34")), "cifar10_resnet34\n");
}

TEST(Writer, WritesNumbersShortAndExact) {
  EXPECT_EQ(to_yaml(Json(0.1)), "0.1\n");
  EXPECT_EQ(to_yaml(Json(1.0)), "1.0\n");
  EXPECT_EQ(to_yaml(Json(1e-5)), "1.0e-05\n");
  EXPECT_EQ(to_yaml(Json(1e22)), "1.0e+22\n");
  for (const double value : {1.0 / 3, 5e-324, std::numeric_limits<double>::max(), -2.5e-7, 0.0}) {
    std::string text = to_yaml(Json(value));
    text.pop_back();
    EXPECT_EQ(parse_real(text).value, value);
  }
}

TEST(Writer, TurnsValuesOfAFileIntoJson) {
  const Document document =
      Document::parse("a: [1, 0.1, 1e3, x, '1', true, ~, {b: .nan}]", "a.yaml");
  EXPECT_EQ(to_json(document.root()).dump(),
            R"({"a":[1,0.1,1000,"x","1",true,null,{"b":".nan"}]})");
}

TEST(Writer, WritesStructuresOfEveryShape) {
  const Json json = Json::parse(R"({"a": {}, "b": [], "c": null, "d": [{"x": [1, 2]}, 3]})");
  EXPECT_EQ(to_yaml(json), "a: {}\nb: []\nc: ~\nd:\n  - x: [1, 2]\n  - 3\n");
}

}  // namespace
}  // namespace apo
