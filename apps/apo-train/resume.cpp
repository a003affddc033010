#include "resume.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "apo/base/error.h"
#include "apo/config/resume.h"
#include "apo/config/writer.h"
#include "apo/trace/read_trace.h"

namespace apo {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_finished(const RunSettings& settings, const Json& config) {
  if (settings.existing != Existing::resume) return false;
  const Json summary = read_json(settings.folder / "summary.json");
  std::ifstream file(settings.folder / "config.yaml");
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  if (summary.value("status", "") != "finished" || written != to_yaml(config)) return false;
  fmt::print(stderr,
             "{}: finished already; a larger train.epochs goes on with it\n",
             settings.folder.string());
  return true;
}

std::optional<Checkpoint> checkpoint_to_resume(Checkpoints& checkpoints,
                                               const RunSettings& settings,
                                               const Json& config) {
  if (settings.existing != Existing::resume) return std::nullopt;
  std::optional<Checkpoint> found = checkpoints.newest([](const std::string& damage) {
    fmt::print(stderr, "warning: {}; going back to the checkpoint before it\n", damage);
  });
  if (found) check_can_resume(found->config, config);
  return found;
}

void require_steps_left(const Checkpoint& checkpoint, int64_t steps) {
  if (checkpoint.step <= steps) return;
  throw Error(
      ErrorKind::config,
      fmt::format("train.epochs: {} steps in all; the run to resume has taken {}; accepted: "
                  "at least as many",
                  steps,
                  checkpoint.step));
}

void require_space(const fs::path& folder,
                   const State& state,
                   const Experiment& experiment,
                   int64_t steps) {
  constexpr int64_t kBytesPerStep = 300;  // of trace.jsonl, trace.json and the page, at most
  // Beside those that are kept, the best and the one that is being written.
  const int64_t checkpoints = (experiment.train.keep_checkpoints + 2) * bytes_of(state);
  const int64_t needed = checkpoints + steps * kBytesPerStep;
  std::error_code unknown;
  const auto space = fs::space(folder, unknown);
  if (unknown || space.available >= static_cast<uintmax_t>(needed)) return;
  constexpr double kMegabyte = 1e6;
  throw Error(
      ErrorKind::output,
      fmt::format("{}: {:.0f} MB are free on its disk and the run needs about {:.0f}, {:.0f} "
                  "of them for checkpoints; make room, or name another --output",
                  folder.string(),
                  static_cast<double>(space.available) / kMegabyte,
                  static_cast<double>(needed) / kMegabyte,
                  static_cast<double>(checkpoints) / kMegabyte));
}

}  // namespace apo
