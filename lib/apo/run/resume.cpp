#include "apo/run/resume.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"
#include "apo/base/terminal.h"
#include "apo/config/writer.h"
#include "apo/run/changes.h"
#include "apo/trace/jsonl.h"
#include "apo/trace/read_trace.h"

namespace apo {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_finished(const RunSettings& settings, const Json& config) {
  if (settings.existing != Existing::resume) return false;
  const Json summary = read_json(settings.folder / "summary.json");
  require_regular(settings.folder / "config.yaml");
  std::ifstream file(settings.folder / "config.yaml");
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  if (summary.value("status", Json()) != "finished" || written != to_yaml(config)) return false;
  const bool waits = config.at("train").at("patience") > 0;
  const std::string way_on =
      fmt::format("; a larger train.epochs{} goes on with it", waits ? " or train.patience" : "");
  say(fmt::format("{}: finished already{}\n",
                  settings.folder.string(),
                  settings.member ? "" : way_on));  // the others would have to, too
  return true;
}

std::optional<Checkpoint> checkpoint_to_resume(Checkpoints& checkpoints,
                                               const RunSettings& settings,
                                               const Json& config) {
  if (settings.existing != Existing::resume) return std::nullopt;
  std::optional<Checkpoint> found = checkpoints.newest([](const std::string& damage) {
    say("warning: " + damage + "; going back to the checkpoint before it\n");
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

void require_same_files(const Checkpoint& checkpoint,
                        const Assembly& assembly,
                        const fs::path& folder,
                        const std::string& section) {
  restore(checkpoint.state, at::kCPU, [&](StateVisitor& visitor) {
    visitor.section("data", [&](StateVisitor& v) { assembly.data.visit_state(v); });
    visitor.section(section, [&](StateVisitor& v) {
      TraceMark mark;
      mark.visit_state(v);
      mark.check(folder / "trace.jsonl");
    });
  });
}

}  // namespace apo
