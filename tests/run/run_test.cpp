#include "apo/run/run.h"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "apo/config/reader.h"
#include "apo/config/writer.h"
#include "support/files.h"

namespace apo {
namespace {

using test::read_file;
using test::TemporaryFolder;

/// Runs of a toy by one tuner, as a program without signals of its own would make them.
class Runs : public testing::TestWithParam<const char*> {
 protected:
  Runs() {
    const std::string text = std::string("{name: toy, device: cpu, problem: {name: rosenbrock}, ") +
                             "optimizer: {name: sgdm, learning_rate: 1e-4}, " +
                             "tuner: {name: constant}, train: {steps: 60" + GetParam() + "}}";
    read_into(Document::parse(text, "toy.yaml"), experiment_);
  }

  /// Its exit code.
  int end_of(RunSettings settings) {
    settings.log_level = "off";
    testing::internal::CaptureStdout();  // a population's table
    const int code = run(experiment_, options_to_json(experiment_), settings);
    testing::internal::GetCapturedStdout();
    return code;
  }

  /// The signal that a program would have got at the n-th time of asking.
  static std::function<int()> signal_at(int n) {
    return [n, asked = std::make_shared<int>(0)] { return ++*asked >= n ? SIGTERM : 0; };
  }

  static std::filesystem::path model_in(const std::filesystem::path& folder) {
    const bool alone = std::filesystem::exists(folder / "model.safetensors");
    return (alone ? folder : folder / "member=0") / "model.safetensors";
  }

  Experiment experiment_;
  TemporaryFolder root_;
};

TEST_P(Runs, WhereTheyAreInterruptedAndResumedEndAsIfTheyHadNotBeen) {
  ASSERT_EQ(end_of({.folder = root_ / "whole"}), 0);
  ASSERT_EQ(end_of({.folder = root_ / "parts", .signal = signal_at(20)}), 128 + SIGTERM);
  EXPECT_NE(read_file(model_in(root_ / "parts")), read_file(model_in(root_ / "whole")));
  ASSERT_EQ(end_of({.folder = root_ / "parts", .existing = Existing::resume}), 0);
  EXPECT_EQ(read_file(model_in(root_ / "parts")), read_file(model_in(root_ / "whole")));
}

TEST_P(Runs, StartOnlyWhenAllIsChecked) {
  bool started = false;
  const RunSettings settings{.folder = root_ / "toy", .on_start = [&] { started = true; }};
  EXPECT_EQ(end_of(settings), 0);
  EXPECT_TRUE(started);
  started = false;
  EXPECT_THROW(end_of(settings), Error);  // there is one
  testing::internal::GetCapturedStdout();
  EXPECT_FALSE(started);
}

INSTANTIATE_TEST_SUITE_P(Run,
                         Runs,
                         testing::Values("", ", population: {members: 3, interval: 10}"));

}  // namespace
}  // namespace apo
