#include "grid.h"

#include <fmt/format.h>

#include <algorithm>

#include "apo/base/system.h"
#include "apo/base/terminal.h"
#include "apo/config/folders.h"
#include "apo/run/grid_summary.h"
#include "apo/trace/run_folder.h"
#include "grid_runner.h"
#include "standard_input.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

/// What a child needs to do run `index` as we would.
std::vector<std::string> arguments(const Plan& plan, const Flags& flags, size_t index) {
  const bool from_stdin = plan.config_file == kStandardInput;
  std::vector<std::string> words = {"--config", from_stdin ? "-" : plan.config_file};
  for (const Override& override : flags.overrides) {
    words.insert(words.end(), {"--set", override.key + "=" + override.value});
  }
  words.insert(words.end(), {"--output", flags.output, "--run-index", std::to_string(index)});
  words.insert(words.end(), {"--progress", flags.progress, "--log-level", flags.log_level});
  if (flags.overwrite) words.emplace_back("--overwrite");
  if (flags.resume) words.emplace_back("--resume");
  return words;
}

/// The threads of one child where several share the cores; 0: as configured.
size_t threads_per_child(const Plan& plan, int64_t jobs) {
  if (jobs == 1) return 0;
  const int64_t asked = plan.runs.front().experiment.threads;
  return static_cast<size_t>(threads_of_job(asked > 0 ? asked : usable_cores(), jobs));
}

}  // namespace

int run_grid(const Plan& plan, const Flags& flags) {
  const fs::path folder = fs::path(flags.output) / plan.name;
  check_grid_folder(folder);
  std::vector<std::vector<std::string>> children;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    check_run_folder(folder / plan.runs[i].label, flags.existing());
    children.push_back(arguments(plan, flags, i));
  }
  const auto jobs = std::min<int64_t>(flags.jobs, static_cast<int64_t>(children.size()));

  std::vector<EndedRun> ended;
  const auto on_end = [&](const ChildResult& result) {
    const PlannedRun& run = plan.runs[result.index];
    const int code = result.end.exit_code;
    const std::string& last_line = result.end.last_line;
    ended.push_back({run.label, folder / run.label, run.values, code, last_line});
    say(fmt::format("[{}/{}] {}: {}\n",
                    ended.size(),
                    plan.runs.size(),
                    run.label,
                    code == 0 ? "done" : fmt::format("exit code {}", code)));
    if (!last_line.empty() && code != 0) say("  " + last_line + "\n");
  };
  const int signal = run_children(this_executable(),
                                  children,
                                  static_cast<size_t>(jobs),
                                  threads_per_child(plan, jobs),
                                  on_end,
                                  standard_input_of_children());
  const std::vector<LeftRun> left = not_started(plan, ended);
  if (!ended.empty()) write_grid(plan, folder, ended, left);
  if (signal != 0) {
    say(
        fmt::format("interrupted: {} of {} runs not started{}; the same command with --resume "
                    "goes on with those and with the interrupted\n",
                    left.size(),
                    plan.runs.size(),
                    ended.empty() ? "" : fmt::format(" ({})", (folder / "grid.json").string())));
    return 128 + signal;
  }
  const bool failed = std::any_of(
      ended.begin(), ended.end(), [](const EndedRun& run) { return run.exit_code != 0; });
  return failed ? 5 : 0;
}

}  // namespace apo
