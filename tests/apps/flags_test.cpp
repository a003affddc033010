#include "apo-train/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/sample.h"

namespace apo {
namespace {

using sample::error_of;

Flags parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "apo-train");
  return parse_flags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Flags, HaveDefaults) {
  const Flags flags = parse({"--config", "a.yaml"});
  EXPECT_EQ(flags.config, "a.yaml");
  EXPECT_EQ(flags.output, "runs");
  EXPECT_EQ(flags.jobs, 1);
  EXPECT_EQ(flags.run_index, std::nullopt);
  EXPECT_EQ(flags.progress, "auto");
  EXPECT_TRUE(flags.overrides.empty());
  EXPECT_FALSE(flags.overwrite || flags.dry_run || flags.print_config || flags.list_runs);
}

TEST(Flags, HoldWhatTheCommandLineSays) {
  const Flags flags = parse({"--config=a.yaml",
                             "--output",
                             "x",
                             "--overwrite",
                             "--dry-run",
                             "--list-runs",
                             "--run-index",
                             "3",
                             "--jobs=2",
                             "--print-config",
                             "--progress",
                             "off",
                             "--log-level",
                             "warn",
                             "--jobs",
                             "4"});
  EXPECT_EQ(flags.output, "x");
  EXPECT_EQ(flags.run_index, 3);
  EXPECT_EQ(flags.jobs, 4);
  EXPECT_EQ(flags.progress, "off");
  EXPECT_EQ(flags.log_level, "warn");
  EXPECT_TRUE(flags.overwrite && flags.dry_run && flags.print_config && flags.list_runs);
}

TEST(Flags, OverridesAndShorthandsApplyInTheirOrder) {
  const Flags flags = parse({"--seed",
                             "-1",
                             "--set",
                             "tuner.lambda=[0.1, -1]",
                             "--config",
                             "a",
                             "--set=seed=3",
                             "--device",
                             "cpu",
                             "--threads",
                             "2"});
  Document document = Document::parse("", "a.yaml");
  apply_overrides(flags, document);
  EXPECT_EQ(document.find("tuner.lambda")->items.at(1).text, "-1");
  EXPECT_EQ(document.find("tuner.lambda")->where, "--set tuner.lambda=[0.1, -1]");
  EXPECT_EQ(document.find("seed")->text, "3");
  EXPECT_EQ(document.find("seed")->where, "--set seed=3");
  EXPECT_EQ(document.find("device")->text, "cpu");
  EXPECT_EQ(document.find("device")->where, "--device cpu");
  EXPECT_EQ(document.find("threads")->text, "2");
}

TEST(Flags, OverridesAreWrittenInFourWaysAndTheLastOnAKeyCounts) {
  const Flags flags = parse({"tuner.lambda=1",
                             "--tuner.lambda",
                             "-2",
                             "--config",
                             "a",
                             "--tuner.lambda=3",
                             "--set",
                             "tuner.lambda=4",
                             "--output",
                             "not=a.key",
                             "--precision",
                             "tf32",
                             "--seed=5",
                             "--jobs",
                             "2"});
  std::vector<std::string> places;
  for (const Override& override : flags.overrides) places.push_back(override.place);
  EXPECT_THAT(places,
              testing::ElementsAre("tuner.lambda=1",
                                   "--tuner.lambda -2",
                                   "--tuner.lambda=3",
                                   "--set tuner.lambda=4",
                                   "--precision tf32",
                                   "--seed 5"));
  Document document = Document::parse("", "a.yaml");
  apply_overrides(flags, document);
  EXPECT_EQ(document.find("tuner.lambda")->text, "4");
  EXPECT_EQ(document.find("precision")->text, "tf32");
  EXPECT_EQ(flags.output, "not=a.key");
  EXPECT_EQ(flags.jobs, 2);
}

TEST(Flags, LabelsOfAReportAreNoKeys) {
  const Flags flags = parse({"--report", "x.html", "seed=runs/a", "tuner.lambda=runs/b"});
  EXPECT_TRUE(flags.overrides.empty());
  EXPECT_EQ(flags.report.size(), 3u);
}

TEST(Flags, AStarterMayLackItsName) {
  EXPECT_EQ(parse({"--config", "a"}).init, std::nullopt);
  EXPECT_EQ(parse({"--init"}).init, "");
  EXPECT_EQ(parse({"--init", "--log-level", "warn"}).init, "");
  EXPECT_EQ(parse({"--init", "b", "seed=1"}).init, "b");
}

TEST(Flags, NeedNoConfigurationToInform) {
  EXPECT_TRUE(parse({"--version"}).version);
  EXPECT_TRUE(parse({"--list"}).list);
  EXPECT_TRUE(parse({"--list-markdown"}).list_markdown);
  EXPECT_FALSE(parse({"--help"}).help.empty());
}

TEST(Flags, TakeThePageOfAReportAndItsRuns) {
  const Flags flags = parse({"--report", "x.html", "runs/a", "B=runs/b", "--log-level", "warn"});
  EXPECT_EQ(flags.report, (std::vector<std::string>{"x.html", "runs/a", "B=runs/b"}));
}

TEST(Help, ShowsGroupsExamplesAndExitCodes) {
  const std::string help = parse({"-h"}).help;
  for (const char* part : {"--config FILE",
                           "--set KEY=VALUE",
                           "Experiment:",
                           "Grid:",
                           "Examples:",
                           "Exit codes:",
                           "4 diverged"}) {
    EXPECT_THAT(help, testing::HasSubstr(part));
  }
}

TEST(ManualPage, HasEveryOptionOfTheHelp) {
  const std::string page = parse({"--man"}).help;
  for (const char* part : {".TH APO",
                           ".SS Experiment",
                           "\\fB\\-\\-config\\fR \\fIFILE\\fR",
                           ".SH \"EXIT STATUS\"",
                           "\\-\\-run\\-index"}) {
    EXPECT_THAT(page, testing::HasSubstr(part));
  }
}

TEST(Completion, KnowsOptionsWordsAndKeysInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = parse({"--completion", shell}).help;
    for (const char* part : {"dry-run", "tuner.meta_optimizer.name", "optimizer.name=rmsprop"}) {
      EXPECT_THAT(script, testing::HasSubstr(part)) << shell;
    }
    EXPECT_THAT(script, testing::Not(testing::ContainsRegex("@[a-z_]+@"))) << shell;
  }
}

struct BadUsage {
  std::vector<const char*> arguments;
  std::string message;
};

class WrongUsage : public testing::TestWithParam<BadUsage> {};

TEST_P(WrongUsage, IsAnErrorInOneLine) {
  EXPECT_EQ(error_of([] { parse(GetParam().arguments); }), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Flags,
    WrongUsage,
    testing::Values(
        BadUsage{{}, "--config FILE is needed; see apo-train --help"},
        BadUsage{{"--config", "a", "--outptu", "x"},
                 "unknown option '--outptu'; did you mean '--output'?"},
        BadUsage{{"--config", "a", "--outptu=x"},
                 "unknown option '--outptu'; did you mean '--output'?"},
        BadUsage{{"--config", "a", "--zzzzzzzz"},
                 "unknown option '--zzzzzzzz'; see apo-train --help"},
        BadUsage{{"--config", "a", "-x"}, "unknown option '-x'; see apo-train --help"},
        BadUsage{{"a.yaml"}, "unexpected argument 'a.yaml'; did you mean '--config a.yaml'?"},
        BadUsage{{"--config", "a", "b"}, "unexpected argument 'b'; see apo-train --help"},
        BadUsage{{"--config"}, "option '--config' needs a value; see apo-train --help"},
        BadUsage{{"--config", "a", "--set", "seed"}, "--set seed: must be KEY=VALUE"},
        BadUsage{{"--config", "a", "--set"}, "option '--set' needs a value; see apo-train --help"},
        BadUsage{{"--config", "a", "--tuner.lambda"},
                 "option '--tuner.lambda' needs a value; see apo-train --help"},
        BadUsage{{"--config", "a", "--tuner.lambda", "--resume"},
                 "option '--tuner.lambda' needs a value; see apo-train --help"},
        BadUsage{{"--config", "a", "--precison", "tf32"},
                 "unknown option '--precison'; did you mean '--precision'?"},
        BadUsage{{"--config", "a", "=3"}, "unexpected argument '=3'; see apo-train --help"},
        BadUsage{{"--report", "x.html", "--log-level", "warn", "A=runs/a"},
                 "unexpected argument 'A=runs/a'; the folders of --report stand right behind it"},
        BadUsage{{"--completion", "powershell"},
                 "--completion powershell: must be bash, zsh or fish"},
        BadUsage{{"--config", "a", "--jobs", "many"}, "--jobs many: must be an integer"},
        BadUsage{{"--config", "a", "--jobs", "0"}, "--jobs 0: must be >= 1 and <= 1024"},
        BadUsage{{"--config", "a", "--run-index", "-1"}, "--run-index -1: must be >= 0"},
        BadUsage{{"--config", "a", "--progress", "onn"},
                 "--progress onn: must be auto, on or off; did you mean 'on'?"},
        BadUsage{{"--config", "a", "--log-level", "loud"},
                 "--log-level loud: must be trace, debug, info, warn, error or off"}));

}  // namespace
}  // namespace apo
