// apo-train: command line → configuration → runs; errors → exit codes.
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include "apo/base/child.h"
#include "apo/base/error.h"
#include "apo/base/explain.h"
#include "apo/base/system.h"
#include "apo/base/terminal.h"
#include "apo/base/version.h"
#include "apo/base/waiting.h"
#include "apo/config/find.h"
#include "apo/config/folders.h"
#include "apo/config/reference.h"
#include "apo/config/writer.h"
#include "apo/ranks/ranks.h"
#include "apo/run/collect.h"
#include "apo/run/dry_run.h"
#include "apo/run/plan.h"
#include "apo/run/process.h"
#include "apo/run/report_runs.h"
#include "apo/run/run.h"
#include "apo/run/use_model.h"
#include "flags.h"
#include "grid.h"
#include "init.h"
#include "signals.h"
#include "standard_input.h"

namespace apo {
namespace {

constexpr std::chrono::seconds kFirstHasSpoken{2};

/// Those that were started with this process. Until it has asked, it is alone.
std::unique_ptr<Group> ranks = std::make_unique<Group>();

int run_planned(const PlannedRun& planned, const Flags& flags) {
  const bool live =
      flags.progress == "on" || (flags.progress == "auto" && can_redraw(STDERR_FILENO));
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
                             .member = flags.member,
                             .group = ranks.get(),
                             .on_start = watch_signals,
                             .signal = received_signal};
  const Experiment experiment = sharing_cores(planned.experiment, *ranks);
  set_up_process(experiment);
  return run(experiment, planned.config, settings);
}

/// Said once: a grid's own process says it for all its runs.
void warn_of_threads(const Plan& plan, const Flags& flags) {
  const bool is_quiet = flags.log_level == "error" || flags.log_level == "off";
  if (is_quiet || is_child()) return;
  int64_t most = 0;
  for (const PlannedRun& run : plan.runs) most = std::max(most, run.experiment.threads);
  say(warning_of_threads(most, usable_cores()));
}

/// What stands on stdin, which the first rank alone may have.
std::string input_of_all() {
  return ranks->gather(ranks->leads() ? read_standard_input() : "").front();
}

/// The configuration, with what the command line sets.
Document read_config(const Flags& flags, const FoundConfig& found) {
  const bool from_stdin = found.file == kStandardInput;
  Document document =
      from_stdin ? Document::parse(input_of_all(), kStandardInput) : Document::load(found.file);
  apply_overrides(flags, document);
  if (from_stdin && document.find("name") == nullptr) {
    throw Error(ErrorKind::config,
                fmt::format("{}: no file to call the run by; give name: in it, or --set name=…",
                            kStandardInput));
  }
  return document;
}

int start(const Flags& flags, char** argv) {
  const FoundConfig found = flags.config == "-"
                                ? FoundConfig{kStandardInput, ""}
                                : find_config(flags.config, config_folders(this_executable()));
  Document document = read_config(flags, found);
  const Plan plan = make_plan(std::move(document), found.file, flags.run_index);
  const bool whole_grid = plan.runs.size() > 1 && !flags.run_index;
  const bool informs = flags.informs();
  const bool trains = !informs && (!whole_grid || flags.dry_run);
  if (!informs && !trains && (ranks->size() > 1 || flags.member)) {
    throw Error(ErrorKind::config,
                "several ranks train one run, and --member a part of one; accepted: one of the "
                "grid, by --run-index");
  }
  if (flags.dry_run && ranks->size() > 1) {
    throw Error(ErrorKind::config,
                "--dry-run tries a run of one rank; accepted: the same without mpirun or torchrun");
  }
  if (trains) {
    end_with_parent();
    wait_briefly(argv);
    refuse_more_than_memory();
  }
  for (const std::string& note : {found.note, plan.note}) {
    if (!note.empty()) say(note + "\n");
  }
  if (!informs) warn_of_threads(plan, flags);

  const PlannedRun& planned = plan.runs[static_cast<size_t>(flags.run_index.value_or(0))];
  if (flags.print_config) {
    deliver(to_yaml(flags.run_index ? planned.config : plan.resolved()));
  } else if (flags.list_runs) {
    deliver(plan.list());
  } else if (flags.collect) {
    return collect(plan, std::filesystem::path(flags.output) / plan.name);
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

/// The first line is older than the others, and read by scripts.
std::string versions() {
#ifdef __clang__
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  std::string cuda = "none";
  if (const auto& hooks = at::detail::getCUDAHooks(); hooks.hasCUDART()) {
    const int64_t number = hooks.versionCUDART();  // 13020 for 13.2
    cuda = fmt::format("{}.{}", number / 1000, number % 1000 / 10);
  }
  return fmt::format(
      "apo-train {} (LibTorch {}, commit {})\n"
      "CUDA:     {}\nMPI:      {}\nGloo:     {}\nNCCL:     {}\nCompiler: {}\n",
      version(),
      TORCH_VERSION,
      commit(),
      cuda,
      mpi_version(),
      gloo_version(),
      nccl_version(),
      compiler);
}

void use_model(const Flags& flags) {
  refuse_more_than_memory();
  UseRequest request{.model = flags.evaluate.empty() ? flags.predict : flags.evaluate,
                     .overrides = [&](Document& document) { apply_overrides(flags, document); },
                     .inputs = flags.on,
                     .json = flags.json};
  for (const Part part : {Part::train, Part::validation, Part::test}) {
    if (flags.part == name_of(part)) request.part = part;
  }
  flags.evaluate.empty() ? predict(request) : evaluate_model(request);
}

void meet_others(char** argv) {
  if (has_others()) wait_briefly(argv);  // begins anew, which ranks that have met cannot
  ranks = join_ranks();
  if (!ranks->leads()) be_silent();
}

/// Ranks meet for what they do together, and to tell once what is wrong in the words of all.
Flags flags_of_all(int argc, char** argv) {
  Flags flags;
  try {
    flags = parse_flags(argc, argv);
  } catch (const Error&) {
    meet_others(argv);
    throw;
  }
  const bool trains = !flags.config.empty() && !flags.informs();
  if (trains || flags.uses_model()) meet_others(argv);
  return flags;
}

int run_program(int argc, char** argv) {
  const Flags flags = flags_of_all(argc, argv);
  if (!flags.help.empty()) {
    deliver(flags.help);
  } else if (flags.version) {
    deliver(versions());
  } else if (flags.list) {
    deliver(list_families(describe_experiment()));
  } else if (flags.list_markdown) {
    deliver(markdown_reference(describe_experiment()));
  } else if (flags.init) {
    deliver(init(flags));
  } else if (!flags.report.empty()) {
    report_words(flags.report);
  } else if (flags.uses_model()) {
    use_model(flags);
  } else {
    return start(flags, argv);
  }
  return 0;
}

/// One line: LibTorch's messages carry a backtrace behind theirs. What goes wrong on all ranks the
/// first one says; the others are ended by it, or speak for themselves after a while.
int fail(const std::string& message, int exit_code) {
  const std::string line = first_line(message);
  if (ranks->leads()) {
    say(fmt::format("apo-train: error: {}\n", line));
  } else {
    std::this_thread::sleep_for(kFirstHasSpoken);
    be_silent(false);
    say(fmt::format("apo-train: error: rank {}: {}\n", ranks->rank(), line));
  }
  ranks->abort(exit_code);
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
  apo::watch_mapped_files();
  const int code = apo::run_and_explain(argc, argv);
  apo::ranks.reset();
  return apo::leave(code);
}
