#include "apo/run/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/run/changes.h"
#include "apo/run/grid_summary.h"
#include "apo/trace/read_trace.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What a run was trained with, as this program resolves it; null where it does not take it.
Json config_in(const fs::path& folder) {
  const fs::path file = folder / "config.yaml";
  try {
    return make_plan(Document::load(file), file, std::nullopt).runs.front().config;
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

/// Why the run has not ended; "" where it has. A run that goes on takes its summary away before it
/// writes its configuration: what is read here in this order belongs together.
std::string missing_by(const PlannedRun& run, const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "config.yaml", ignored)) return "not started";
  const Json config = config_in(folder);
  if (config.is_null()) return "its config.yaml cannot be read";
  if (const auto change = change_of_results(config, run.config)) {
    return fmt::format("has {} = {}, not {}", change->key, change->before, change->now);
  }
  const Json status = status_in(folder);
  if (status == "finished" || status == "diverged") return "";
  return status == "interrupted" ? "interrupted" : "begun, not ended";
}

/// With which the process of a run that has ended has left.
int exit_code_in(const fs::path& folder) {
  const Json members = read_json(folder / "population.json").value("runs", Json::array());
  if (members.empty()) return status_in(folder) == "diverged" ? 4 : 0;
  const auto diverged = [](const Json& member) {
    return member.value("status", Json()) == "diverged";
  };
  return std::any_of(members.begin(), members.end(), diverged) ? 5 : 0;
}

std::string list_of(const std::vector<LeftRun>& missing, size_t all) {
  std::string list = fmt::format("\nmissing: {} of {} runs\n", missing.size(), all);
  for (const LeftRun& run : missing) {
    list += fmt::format("{:4}  {}  {}\n", run.index, run.label, run.status);
  }
  return list;
}

}  // namespace

int collect(const Plan& plan, const fs::path& folder) {
  if (plan.axes.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: --collect: is a single run; accepted: a grid", plan.config_file));
  }
  check_grid_folder(folder);
  std::vector<EndedRun> ended;
  std::vector<LeftRun> missing;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const fs::path run_folder = folder / run.label;
    const std::string why = missing_by(run, run_folder);
    if (why.empty()) {
      ended.push_back({run.label, run_folder, run.values, exit_code_in(run_folder)});
    } else {
      missing.push_back({i, run.label, why});
    }
  }
  if (ended.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: none of the {} runs of this grid has ended; the first, {}: {}",
                            folder.string(),
                            plan.runs.size(),
                            missing.front().label,
                            missing.front().status));
  }
  write_grid(plan, folder, ended, missing);
  if (!missing.empty()) show(list_of(missing, plan.runs.size()));
  const bool failed = std::any_of(
      ended.begin(), ended.end(), [](const EndedRun& run) { return run.exit_code != 0; });
  return failed || !missing.empty() ? 5 : 0;
}

}  // namespace apo
