#include "apo/run/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/run/ended.h"
#include "apo/run/grid_summary.h"
#include "apo/trace/run_folder.h"

namespace apo {

namespace fs = std::filesystem;

int collect(const Plan& plan, const fs::path& folder) {
  if (plan.axes.empty() && plan.runs.front().experiment.is_population()) {
    return collect_population(plan.runs.front(), folder);
  }
  if (plan.axes.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: --collect: is a single run; accepted: a grid, or a population",
                            plan.config_file));
  }
  check_grid_folder(folder);
  std::vector<EndedRun> ended;
  std::vector<LeftRun> missing;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const fs::path run_folder = folder / run.label;
    const std::string why = missing_by(run.config, run_folder);
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
  if (!missing.empty()) show(list_of("missing", missing, plan.runs.size(), "runs"));
  const bool failed = std::any_of(
      ended.begin(), ended.end(), [](const EndedRun& run) { return run.exit_code != 0; });
  return failed || !missing.empty() ? 5 : 0;
}

}  // namespace apo
