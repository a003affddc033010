// apo-train: command line → configuration → runs; errors → exit codes.
#include <fmt/format.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <regex>
#include <string>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/system.h"
#include "apo/base/terminal.h"
#include "apo/base/version.h"
#include "apo/base/waiting.h"
#include "apo/config/reference.h"
#include "apo/config/writer.h"
#include "apo/run/dry_run.h"
#include "apo/run/plan.h"
#include "apo/run/process.h"
#include "apo/run/report_runs.h"
#include "apo/run/run.h"
#include "find_config.h"
#include "flags.h"
#include "grid.h"
#include "signals.h"

namespace apo {
namespace {

/// OpenMP reads its settings when it is loaded, so the program starts itself again with them.
void wait_briefly(char** argv) {
  const auto settings = wait_settings();
  if (settings.empty()) return;
  for (const auto& [name, value] : settings) setenv(name.c_str(), value.c_str(), 1);
  execv("/proc/self/exe", argv);  // returns only where it fails: go on, slower
}

/// The grid is no option of a run: config/grid.h takes it apart before.
constexpr const char* kGridHelp =
    "Runs for all combinations of lists of values, the last list running fastest, in folders named "
    "after them.\n\n"
    "    grid: {optimizer.name: [sgd, adam], seed: [0, 1, 2]}    # six runs\n\n"
    "A key is that of any option or section, dotted; each takes a list of one value or more. On "
    "the "
    "command line:\n`--set grid.seed='[0, 1, 2]'`. A list given to `tuner.lambda` is one of the "
    "grid, too. `--list-runs` shows the runs,\n`--jobs N` trains N at a time.";

SectionDescription describe_experiment() {
  Experiment experiment;
  SectionDescription keys = describe([&](OptionVisitor& visitor) { experiment.visit(visitor); });
  SectionDescription& grid = keys.sections.emplace_back();
  grid.key = "grid";
  grid.help = kGridHelp;
  return keys;
}

int run_planned(const PlannedRun& planned, const Flags& flags) {
  const bool live =
      flags.progress == "on" || (flags.progress == "auto" && isatty(STDERR_FILENO) != 0);
  std::filesystem::path folder = std::filesystem::path(flags.output) / planned.experiment.name;
  if (!planned.label.empty()) {
    check_grid_folder(folder);
    folder /= planned.label;
  }
  const RunSettings settings{.folder = folder,
                             .existing = flags.existing(),
                             .live = live,
                             .log_level = flags.log_level,
                             .jobs = flags.jobs,
                             .on_start = watch_signals,
                             .signal = received_signal};
  set_up_process(planned.experiment);
  return run(planned.experiment, planned.config, settings);
}

std::string list_of(const std::vector<PlannedRun>& runs) {
  std::string list;
  for (size_t i = 0; i < runs.size(); ++i) {
    list += fmt::format("{:4}  {}\n", i, runs[i].label.empty() ? "(one run)" : runs[i].label);
  }
  return list;
}

/// Said once: a grid's own process says it for all its runs.
void warn_of_threads(const Plan& plan, const Flags& flags) {
  const bool is_quiet = flags.log_level == "error" || flags.log_level == "off";
  if (is_quiet || std::getenv(kGridProcess) != nullptr) return;
  int64_t most = 0;
  for (const PlannedRun& run : plan.runs) most = std::max(most, run.experiment.threads);
  say(warning_of_threads(most, usable_cores()));
}

int start(const Flags& flags, char** argv) {
  const FoundConfig found = find_config(flags.config, this_executable());
  Document document = Document::load(found.file);
  apply_overrides(flags, document);
  const Plan plan = make_plan(std::move(document), found.file, flags.run_index);
  const bool whole_grid = plan.runs.size() > 1 && !flags.run_index;
  const bool trains = !flags.print_config && !flags.list_runs && (!whole_grid || flags.dry_run);
  if (trains) {
    end_with_parent();
    wait_briefly(argv);
    refuse_more_than_memory();
  }
  for (const std::string& note : {found.note, plan.note}) {
    if (!note.empty()) say(note + "\n");
  }
  if (!flags.print_config && !flags.list_runs) warn_of_threads(plan, flags);

  const PlannedRun& planned = plan.runs[static_cast<size_t>(flags.run_index.value_or(0))];
  if (flags.print_config) {
    deliver(to_yaml(flags.run_index ? planned.config : plan.resolved()));
  } else if (flags.list_runs) {
    deliver(list_of(plan.runs));
  } else if (flags.dry_run) {
    const std::string first =
        fmt::format("{} runs; the first, {}:\n", plan.runs.size(), planned.label);
    const Sharing sharing{whole_grid ? static_cast<int64_t>(plan.runs.size()) : 1, flags.jobs};
    const Experiment experiment = sharing_threads(planned.experiment, sharing);
    set_up_process(experiment);
    deliver((whole_grid ? first : "") + dry_run(experiment, sharing));
  } else {
    return whole_grid ? run_grid(plan, flags) : run_planned(planned, flags);
  }
  return 0;
}

int run_program(int argc, char** argv) {
  const Flags flags = parse_flags(argc, argv);
  if (!flags.help.empty()) {
    deliver(flags.help);
  } else if (flags.version) {
    deliver(
        fmt::format("apo-train {} (LibTorch {}, commit {})\n", version(), TORCH_VERSION, commit()));
  } else if (flags.list) {
    deliver(list_families(describe_experiment()));
  } else if (flags.list_markdown) {
    deliver(markdown_reference(describe_experiment()));
  } else if (!flags.report.empty()) {
    report_words(flags.report);
  } else {
    return start(flags, argv);
  }
  return 0;
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::config:
      return 2;
    case ErrorKind::data:
      return 3;
    case ErrorKind::output:
      return 1;
  }
  return 1;
}

/// LibTorch's message in the user's words, where it is about memory or the device.
std::string explained(const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  const bool device = says("CUDA out of memory");
  if (!device && says("CUDA error")) {
    return message.substr(0, message.find('\n')) +
           "; the device failed or was lost, the last checkpoint is whole: --resume goes on from "
           "it";
  }
  if (!device && !says("not enough memory") && !says("can't allocate memory")) return message;
  static const std::regex amount("[Tt]ried to allocate ([0-9.]+ ?[A-Za-z]+)");
  std::smatch asked;
  const bool known = std::regex_search(message, asked, amount);
  return fmt::format(
      "out of memory on the {}{}; smaller values help of dataset.batch_size, "
      "tuner.discrepancy_batch_size, the model's own keys, dataset.train_examples",
      device ? "device" : "host",
      known ? ": " + asked[1].str() + " were asked for" : "");
}

/// One line: LibTorch's messages carry a backtrace behind theirs.
int fail(const std::string& message, int exit_code) {
  say(fmt::format("apo-train: error: {}\n", message.substr(0, message.find('\n'))));
  return exit_code;
}

/// What the program says and its exit code.
int run_and_explain(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const Error& error) {
    return fail(error.what(), exit_code(error.kind()));
  } catch (const ReaderLeft&) {
    return 1;
  } catch (const std::bad_alloc&) {
    return fail(explained("not enough memory"), 1);
  } catch (const std::exception& error) {
    return fail(explained(error.what()), 1);
  }
}

/// Ends the process. All of ours is closed by now, and LibTorch's tables, which take a tenth of a
/// second to take down, go with the process, unless a sanitizer or gcov wants to have its say.
int leave(int code) {
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::fflush(nullptr);
  std::_Exit(code);
#else
  return code;
#endif
}

}  // namespace
}  // namespace apo

int main(int argc, char** argv) {
  apo::protect_outputs();
  return apo::leave(apo::run_and_explain(argc, argv));
}
