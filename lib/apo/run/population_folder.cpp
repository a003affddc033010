#include "apo/run/population_folder.h"

#include <fmt/format.h>

#include <string>

#include "apo/base/create_file.h"
#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/state.h"
#include "apo/base/version.h"
#include "apo/config/writer.h"
#include "apo/run/changes.h"
#include "apo/trace/read_trace.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string program() {
  return fmt::format("{} {}", version(), commit());
}

Json json_of(const DataMark& data) {
  const State state = state_of([&](StateVisitor& v) { data.visit_state(v); });
  Json json = Json::object();
  for (const auto& [name, value] : state.values) json[name] = std::get<int64_t>(value);
  return json;
}

}  // namespace

PopulationFolder::PopulationFolder(const fs::path& folder, size_t members, const Json& config)
    : folder_(folder, Existing::resume, LockKind::shared),
      claims_(folder, members),
      config_(config) {
  std::error_code ignored;
  if (fs::exists(folder / "config.yaml", ignored) && !fs::exists(folder / kTurns, ignored)) {
    throw Error(ErrorKind::config,
                fmt::format("{}: holds a run, or a population in one process, which a member as a "
                            "process cannot join; accepted: another --output or name",
                            folder.string()));
  }
  check();
}

Json PopulationFolder::begun_with() const {
  return read_json(path() / kTurns / "begun_with.json");
}

void PopulationFolder::check() const {
  const Json begun = begun_with();
  if (begun.empty()) return;
  const auto refuse =
      [&](const std::string& key, const std::string& now, const std::string& before) {
        throw Error(ErrorKind::config,
                    fmt::format("{} = {}: the population in {} was begun with {}, and its members "
                                "cannot differ in that; accepted: that value, or another name",
                                key,
                                now,
                                path().string(),
                                before));
      };
  if (begun.value("program", "") != program()) {
    refuse("apo-train", program(), begun.value("program", ""));
  }
  const auto change = change_of_results(begun.value("config", Json::object()), config_);
  if (change) refuse(change->key, change->now, change->before);
}

void PopulationFolder::check(const DataMark& data) const {
  check();
  const Json begun = begun_with();
  if (begun.empty()) return;
  State state;
  const Json known = begun.value("data", Json::object());
  for (const auto& [name, value] : known.items()) {
    if (value.is_number_integer()) state.values[name] = value.get<int64_t>();
  }
  restore(state, at::kCPU, [&](StateVisitor& v) { data.visit_state(v); });
}

void PopulationFolder::join(const DataMark& data) {
  check(data);
  folder_.claim(/*keep_files=*/true);
  const fs::path turns = path() / kTurns;
  make_folder(turns);
  const Json json = {{"format", "apo-turns"},
                     {"version", 1},
                     {"program", program()},
                     {"config", config_},
                     {"data", json_of(data)}};
  create_file(turns / "begun_with.json", json.dump(1) + "\n", turns);
  check(data);  // another may have come first
  // In the folder itself others, who are about to join, know only names of ours.
  create_file(path() / "config.yaml", to_yaml(config_), turns);
}

}  // namespace apo
