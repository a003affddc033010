#include "apo/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "apo/config/grid.h"
#include "config/sample.h"

namespace apo {
namespace {

using sample::error_of;
using sample::Workshop;

Workshop read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Document document = Document::parse(text, "a.yaml");
  for (const std::string& assignment : overrides) document.set(assignment);
  Workshop workshop;
  read_into(document, workshop);
  return workshop;
}

TEST(Reader, AssignsEveryKindOfField) {
  const Workshop workshop = read(
      "name: 12\nseed: 1e3\nloud: true\ncolour: green\n"
      "tuner: {tune: [power, rate], rate: +1e-4, lambda: 5}\n"
      "tool: {sizes: 7, name: hammer}\nlimits: {low: -3, high: 0.0}\n");
  EXPECT_EQ(workshop.name, "12");
  EXPECT_EQ(workshop.seed, 1000);
  EXPECT_TRUE(workshop.loud);
  EXPECT_EQ(workshop.colour, sample::Colour::green);
  EXPECT_THAT(workshop.tune, testing::ElementsAre("power", "rate"));
  EXPECT_EQ(workshop.rate, 1e-4);
  EXPECT_EQ(workshop.lambda, 5);
  EXPECT_EQ(workshop.low, -3);
  EXPECT_EQ(workshop.high, 0);
}

TEST(Reader, KeepsTheValuesOfAbsentKeysAndEmptySections) {
  const Workshop workshop = read("tuner:\ntool: {}\n");
  EXPECT_EQ(workshop.lambda, 0.1);
  EXPECT_EQ(workshop.rate, std::nullopt);
  EXPECT_EQ(workshop.tool.name(), "hammer");
}

TEST(Reader, SelectsAMemberAndItsOptions) {
  EXPECT_EQ(read("tool: {name: saw}\n").tool.name(), "saw");
  EXPECT_EQ(error_of([] { read("tool: {name: saw, weight: 2}\n"); }),
            "a.yaml:1:19: unknown key 'weight'; accepted here: name");
}

TEST(Reader, TakesOneValueForAListOfOne) {
  EXPECT_THAT(read("tuner: {tune: power}").tune, testing::ElementsAre("power"));
  EXPECT_THAT(read("tuner: {tune: []}").tune, testing::IsEmpty());
}

TEST(Reader, OverridesGoThroughTheSameChecks) {
  EXPECT_EQ(read("seed: 1", {"seed=2"}).seed, 2);
  EXPECT_EQ(read("tuner: {rate: 0.1}", {"tuner.rate=auto"}).rate, std::nullopt);
  EXPECT_EQ(error_of([] { read("", {"tuner.lambda=-0.1"}); }),
            "--set tuner.lambda=-0.1: tuner.lambda = -0.1: must be >= 0");
  EXPECT_EQ(error_of([] { read("", {"tunr.lambda=1"}); }),
            "--set tunr.lambda=1: unknown key 'tunr'; did you mean 'tuner'?");
}

TEST(Reader, ReadsAnInterval) {
  const Workshop workshop = read("limits: {span: [1e-8, 10]}");
  EXPECT_EQ(workshop.span->lower, 1e-8);
  EXPECT_EQ(workshop.span->upper, 10);
  EXPECT_EQ(read("").span, std::nullopt);
}

struct BadValue {
  std::string text;
  std::string message;
};

class BadConfig : public testing::TestWithParam<BadValue> {};

TEST_P(BadConfig, IsAnErrorThatNamesPlaceValueAndWhatIsAccepted) {
  EXPECT_EQ(error_of([] { read(GetParam().text); }), "a.yaml:" + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    UnknownNames,
    BadConfig,
    testing::Values(
        BadValue{"seed: 1\ntunr: {}\n", "2:1: unknown key 'tunr'; did you mean 'tuner'?"},
        BadValue{"tuner:\n  qqqqqqq: 1\n",
                 "2:3: unknown key 'qqqqqqq'; accepted here: tune, rate, lambda"},
        BadValue{"tool: {name: hamer}\n",
                 "1:14: tool.name = 'hamer': unknown tool; accepted: hammer, saw; "
                 "did you mean 'hammer'?"},
        BadValue{
            "tool: {wait: 1, name: [saw]}\n",
            "1:23: tool.name: must be hammer or saw, not a list; for a grid: grid.tool.name=[…]"},
        BadValue{"colour: gren\n",
                 "1:9: colour = 'gren': must be red, green or blue; did you mean 'green'?"},
        BadValue{"tuner: {tune: [rate, 3]}\n", "1:22: tuner.tune = 3: must be rate or power"}));

INSTANTIATE_TEST_SUITE_P(
    Values,
    BadConfig,
    testing::Values(
        BadValue{"seed: many\n", "1:7: seed = 'many': must be an integer"},
        BadValue{"seed: 1.5\n", "1:7: seed = 1.5: must be an integer"},
        BadValue{"seed: '1'\n", "1:7: seed = '1': must be an integer, without quotes"},
        BadValue{"seed: -1\n", "1:7: seed = -1: must be >= 0"},
        BadValue{"seed: [1, 2]\n",
                 "1:7: seed: must be an integer, not a list; for a grid: grid.seed=[…]"},
        BadValue{"seed:\n", "1:1: seed: must be an integer, not empty"},
        BadValue{"seed: 0x10\n", "1:7: seed = '0x10': must be an integer"},
        BadValue{
            "seed: 9223372036854775808\n",
            "1:7: seed = 9223372036854775808: too large or too small for an integer of 64 bits"},
        BadValue{"seed: 1e30\n",
                 "1:7: seed = 1e30: too large or too small for an integer of 64 bits"},
        BadValue{"loud: yes\n", "1:7: loud = 'yes': must be true or false"},
        BadValue{"loud: 'true'\n", "1:7: loud = 'true': must be true or false, without quotes"},
        BadValue{"loud: 1\n", "1:7: loud = 1: must be true or false"},
        BadValue{"name: {a: b}\n", "1:7: name: must be a string, not a mapping"},
        BadValue{"tuner: apo\n", "1:8: tuner = 'apo': must be a mapping of keys"},
        BadValue{"tuner: [apo]\n",
                 "1:8: tuner: must be a mapping of keys, not a list; for a grid: grid.tuner=[…]"},
        BadValue{"tuner: {tune: {a: b}}\n", "1:15: tuner.tune: must be a list, not a mapping"},
        BadValue{"tuner: {lambda: 1e400}\n",
                 "1:17: tuner.lambda = 1e400: too large or too small for a number of 64 bits"},
        BadValue{"tuner: {lambda: .nan}\n",
                 "1:17: tuner.lambda = .nan: must be a finite number >= 0"},
        BadValue{"tuner: {lambda: .inf}\n",
                 "1:17: tuner.lambda = .inf: must be a finite number >= 0"},
        BadValue{"tuner: {lambda: 0.1x}\n", "1:17: tuner.lambda = '0.1x': must be a number"},
        BadValue{"tuner: {rate: fast}\n", "1:15: tuner.rate = 'fast': must be a number or auto"},
        BadValue{"tuner: {rate: 0}\n", "1:15: tuner.rate = 0: must be > 0"},
        BadValue{"tool:\n  sizes: [4, 0]\n", "2:14: tool.sizes = 0: must be >= 1"},
        BadValue{"limits: {span: 3}\n", "1:16: limits.span = 3: must be [lower, upper]"},
        BadValue{"limits: {span: [1, 2, 3]}\n",
                 "1:16: limits.span: must be [lower, upper], not a list"},
        BadValue{"limits: {span: [0, 1]}\n", "1:17: limits.span = 0: must be > 0"},
        BadValue{"limits: {span: [2, 1]}\n",
                 "1:16: limits.span = [2, 1]: must be [lower, upper] with lower <= upper"},
        BadValue{
            "tool:\n  sizes: [4, [1]]\n",
            "2:14: tool.sizes: must be an integer, not a list; for a grid: grid.tool.sizes=[…]"}));

INSTANTIATE_TEST_SUITE_P(Conditions,
                         BadConfig,
                         testing::Values(BadValue{"limits: {high: 5, low: 6}\n",
                                                  "1:24: limits.low = 6: must be <= high"},
                                         BadValue{"seed: 13\ntool: {name: saw}\n",
                                                  "2:14: tool.name = 'saw': must be lucky"},
                                         BadValue{"limits:\n  high: -1\n",
                                                  "2:3: limits.low: must be <= high"}));

INSTANTIATE_TEST_SUITE_P(
    SeveralMistakes,
    BadConfig,
    testing::Values(
        BadValue{"limits: {low: 11}\nloud: 3\n", "2:7: loud = 3: must be true or false"},
        BadValue{"tool: {sizes: 0}\ntuner: {lambda: -1}\nseed: x\n",
                 "1:15: tool.sizes = 0: must be >= 1"},
        BadValue{"zzz: 1\nseed: x\n",
                 "1:1: unknown key 'zzz'; accepted here: name, seed, loud, colour, tuner, tool, "
                 "limits"}));

TEST(Reader, NeverFailsOtherwiseThanByAnError) {
  const std::string sound =
      "name: x\nseed: 1e3\nloud: true\ntuner: {tune: [power], rate: auto, lambda: [1, 2]}\n"
      "tool: {name: hammer, sizes: [1, 2], weight: .5}\ngrid:\n  seed: [0, 1]\n  tool.name: "
      "[hammer]\n";
  const std::string marks = "{}[]:,-+.'\"\n 019eE~";
  std::mt19937 random(2);
  int read = 0;
  for (int i = 0; i < 600; ++i) {
    std::string text = sound;
    for (unsigned change = 0, changes = random() % 3; change < changes; ++change) {
      text[random() % text.size()] = marks[random() % marks.size()];
    }
    const std::string message = error_of([&] {
      const Grid grid(Document::parse(text, "a.yaml"));
      for (size_t i = 0; i < grid.size(); ++i) {
        Workshop workshop;
        read_into(grid.run(i).document, workshop);
      }
      ++read;
    });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_GT(read, 200);
}

}  // namespace
}  // namespace apo
