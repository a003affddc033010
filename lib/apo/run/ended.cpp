#include "apo/run/ended.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "apo/base/error.h"
#include "apo/run/changes.h"
#include "apo/trace/read_trace.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What a run was trained with, as this program resolves it; null where it does not take it.
Json config_in(const fs::path& folder) {
  try {
    return resolved_anew(Document::load(folder / "config.yaml"));
  } catch (const Error&) {
    return nullptr;
  }
}

/// The status in the summary.json; null where there is none of ours.
Json status_in(const fs::path& folder) {
  try {
    return read_summary(folder).value("status", Json());
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

/// A run that goes on takes its summary away before it writes its configuration: what is read here
/// in this order belongs together.
std::string missing_by(const Json& config, const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "config.yaml", ignored)) return "not started";
  const Json trained = config_in(folder);
  if (trained.is_null()) return "its config.yaml cannot be read";
  if (const auto change = change_of_results(trained, config)) {
    return fmt::format("has {} = {}, not {}", change->key, change->before, change->now);
  }
  const Json status = status_in(folder);
  if (status == "finished" || status == "diverged") return "";
  return status == "interrupted" ? "interrupted" : "begun, not ended";
}

int exit_code_in(const fs::path& folder) {
  const Json members = read_json(folder / "population.json").value("runs", Json::array());
  if (members.empty()) return status_in(folder) == "diverged" ? 4 : 0;
  const auto diverged = [](const Json& member) {
    return member.value("status", Json()) == "diverged";
  };
  return std::any_of(members.begin(), members.end(), diverged) ? 5 : 0;
}

std::string list_of(const char* what,
                    const std::vector<LeftRun>& left,
                    size_t all,
                    const char* runs) {
  std::string list = fmt::format("\n{}: {} of {} {}\n", what, left.size(), all, runs);
  for (const LeftRun& run : left) {
    list += fmt::format("{:4}  {}  {}\n", run.index, run.label, run.status);
  }
  return list;
}

}  // namespace apo
