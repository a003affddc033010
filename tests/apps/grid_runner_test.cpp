#include "apo-train/grid_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "support/files.h"

namespace apo {
namespace {

using testing::ElementsAre;

/// Runs of the shell, each with a script of its own.
std::vector<std::vector<std::string>> scripts(const std::vector<std::string>& texts) {
  std::vector<std::vector<std::string>> runs;
  runs.reserve(texts.size());
  for (const std::string& text : texts) runs.push_back({"-c", text});
  return runs;
}

struct Ended {
  int signal = 0;
  std::vector<ChildResult> results = {};
  std::vector<int> exit_codes() const {
    std::vector<int> codes;
    for (const ChildResult& result : results) codes.push_back(result.end.exit_code);
    return codes;
  }
};

Ended run_all(const std::vector<std::string>& texts, size_t jobs, size_t threads = 0) {
  Ended ended;
  ended.signal = run_children("/bin/sh", scripts(texts), jobs, threads, [&](const auto& result) {
    ended.results.push_back(result);
  });
  return ended;
}

TEST(GridRunner, OneFailingRunLeavesTheOthersAlone) {
  const Ended ended = run_all({"exit 0", "exit 4", "exit 0"}, 1);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_THAT(ended.exit_codes(), ElementsAre(0, 4, 0));
  EXPECT_EQ(ended.results[1].index, 1u);
}

TEST(GridRunner, RunsSeveralAtATime) {
  const Ended ended = run_all({"sleep 0.3; exit 1", "exit 2", "exit 3"}, 2);
  EXPECT_THAT(ended.exit_codes(), ElementsAre(2, 3, 1));
}

TEST(GridRunner, KeepsTheLastLineOfErrors) {
  const Ended ended = run_all({"echo out; echo first >&2; echo 'the last' >&2; exit 2"}, 2);
  EXPECT_EQ(ended.results[0].end.last_line, "the last");
}

TEST(GridRunner, ReadsMoreThanAPipeHolds) {
  const Ended ended =
      run_all({"head -c 300000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2"}, 2);
  EXPECT_THAT(ended.exit_codes(), ElementsAre(0));
  EXPECT_EQ(ended.results[0].end.last_line, "end");
}

TEST(GridRunner, ToleratesAChildThatClosesItsErrors) {
  EXPECT_THAT(run_all({"exec 2>&-; sleep 0.1; exit 3"}, 2).exit_codes(), ElementsAre(3));
}

TEST(GridRunner, ReportsTheSignalThatKilledAChild) {
  const Ended ended = run_all({"kill -KILL $$"}, 1);
  EXPECT_EQ(ended.results[0].end.signal, SIGKILL);
  EXPECT_EQ(ended.results[0].end.exit_code, 128 + SIGKILL);
}

TEST(GridRunner, ReportsAProgramThatCannotBeStarted) {
  std::vector<ChildResult> results;
  const auto keep = [&](const ChildResult& result) { results.push_back(result); };
  EXPECT_EQ(run_children("/no/such/program", scripts({"a", "b"}), 2, 0, keep), 0);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[1].end.exit_code, 127);
  EXPECT_EQ(results[1].end.last_line, "/no/such/program: No such file or directory");
}

TEST(GridRunner, WithoutRunsDoesNothing) {
  EXPECT_TRUE(run_all({}, 2).results.empty());
}

TEST(GridRunner, AsksThreadsNotToSpinForLongUnlessTold) {
  const std::string script = "echo $OMP_WAIT_POLICY $GOMP_SPINCOUNT >&2";
  unsetenv("OMP_WAIT_POLICY");
  EXPECT_EQ(run_all({script}, 2).results[0].end.last_line, "passive 1000");
  setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_EQ(run_all({script}, 2).results[0].end.last_line, "active");
  unsetenv("OMP_WAIT_POLICY");
}

TEST(GridRunner, SharesTheCoresByThreads) {
  // The shell takes the words behind its script as $0 and $1.
  EXPECT_EQ(run_all({"echo $0 $1 >&2"}, 2, 3).results[0].end.last_line, "--threads 3");
}

TEST(GridRunner, EachRunReadsTheInputFromItsBeginning) {
  const test::TemporaryFolder folder;
  const std::string file = folder / "input";
  std::ofstream(file) << "first\nsecond\n";
  std::vector<std::string> read;
  const auto keep = [&](const ChildResult& result) { read.push_back(result.end.last_line); };
  const std::string script = "read line; echo $line >&2";
  run_children("/bin/sh", scripts({script, script, script}), 2, 0, keep, file);
  EXPECT_THAT(read, ElementsAre("first", "first", "first"));
}

class Interrupted : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(Interrupted, PassesTheSignalOnWaitsAndStartsNoMore) {
  const auto [sent, received] = GetParam();
  signal(sent, SIG_DFL);  // it may be ignored where the tests run
  std::thread sender([sent = sent] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    kill(getpid(), sent);
  });
  const std::string save = "trap 'echo saved >&2; exit " + std::to_string(128 + received) + "' " +
                           std::to_string(received) + "; while :; do sleep 0.02; done";
  const Ended ended = run_all({save, save, "exit 0"}, 2);
  sender.join();
  EXPECT_EQ(ended.signal, sent);
  EXPECT_THAT(ended.exit_codes(), ElementsAre(128 + received, 128 + received));
  EXPECT_EQ(ended.results[0].end.last_line, "saved");
}

INSTANTIATE_TEST_SUITE_P(GridRunner,
                         Interrupted,
                         testing::Values(std::pair(SIGINT, SIGINT),
                                         std::pair(SIGTERM, SIGTERM),
                                         std::pair(SIGUSR2, SIGUSR2),
                                         std::pair(SIGXCPU, SIGXCPU),
                                         std::pair(SIGHUP, SIGHUP)));

TEST(GridRunner, LeavesNoChildBehindWhenItsCallerFails) {
  const auto fail = [](const ChildResult&) { throw std::runtime_error("disk full"); };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run_children("/bin/sh", scripts({"exit 0", "exec sleep 30"}), 2, 0, fail),
               std::runtime_error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace apo
