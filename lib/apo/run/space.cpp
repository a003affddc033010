#include "apo/run/space.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "apo/base/error.h"
#include "apo/run/files.h"
#include "apo/trace/jsonl.h"
#include "apo/train/trainer.h"

namespace apo {
namespace fs = std::filesystem;

namespace {

/// What a run will have on the disk.
struct Needed {
  double state = 0;  ///< of one checkpoint
  double trace = 0;
};

Needed needed_by(const Experiment& experiment, Assembly& assembly) {
  Trainer trainer(
      *assembly.problem, *assembly.rule, *assembly.tuner, assembly.options, /*observers=*/{});
  const int64_t steps = assembly.options.steps;
  const int64_t epochs = (steps - 1) / assembly.problem->batches->steps_per_pass() + 1;
  const State state = state_of([&](StateVisitor& visitor) { trainer.visit_state(visitor); });
  return {static_cast<double>(bytes_of(state)),
          trace_bytes(trace_options(experiment, assembly), steps, epochs, trainer.tuned())};
}

/// Of all files in the folder and below.
int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(folder, ignored), end; entry != end;
       entry.increment(ignored)) {
    if (!entry->is_regular_file(ignored) || entry->is_symlink(ignored)) continue;
    bytes += static_cast<int64_t>(entry->file_size(ignored));
  }
  return bytes;
}

/// The nearest folder above that is there.
fs::path existing_part_of(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (!fs::exists(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

}  // namespace

void require_space(const RunSettings& settings,
                   const Experiment& experiment,
                   std::span<Assembly> members) {
  const fs::path& folder = settings.folder;
  double state = 0;
  double traces = 0;
  for (Assembly& member : members) {
    const Needed needed = needed_by(experiment, member);
    state += needed.state;
    traces += needed.trace;
  }
  // Beside those that are kept, the best, the scheduled and the one that is being written.
  const double checkpoints = (static_cast<double>(experiment.train.keep_checkpoints) + 3) * state;
  const double needed = checkpoints + traces;
  // What is replaced goes; what a run goes on with is part of what it needs.
  const int64_t there = settings.existing == Existing::refuse ? 0 : bytes_in(folder);
  std::error_code unknown;
  const auto space = fs::space(existing_part_of(folder), unknown);
  const auto available = static_cast<double>(space.available) + static_cast<double>(there);
  if (unknown || available >= needed) return;
  constexpr double kMegabyte = 1e6;
  const char* smaller = traces > checkpoints ? "a larger trace.every or trace.meta_every"
                                             : "a smaller train.keep_checkpoints";
  throw Error(
      ErrorKind::output,
      fmt::format(
          "{}: {:.0f} MB are free on its disk and the run needs about {:.0f}, {:.0f} "
          "of them for checkpoints and {:.0f} for traces; make room, name another --output, or "
          "give {}",
          folder.string(),
          available / kMegabyte,
          needed / kMegabyte,
          checkpoints / kMegabyte,
          traces / kMegabyte,
          smaller));
}

}  // namespace apo
