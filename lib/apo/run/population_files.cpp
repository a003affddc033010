#include "apo/run/population_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include "apo/base/files.h"
#include "apo/base/terminal.h"
#include "apo/run/assemble.h"
#include "apo/run/report_runs.h"
#include "apo/trace/read_trace.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The best member's, with the time of all.
Json summary_of_all(const std::string& name, const fs::path& folder, const Json& runs) {
  const auto summary_of = [&](const Json& run) {
    return read_json(folder / run["folder"].get<std::string>() / "summary.json");
  };
  Json best = summary_of(runs.front());
  double seconds = 0;
  for (const Json& run : runs) seconds += summary_of(run).value("wall_seconds", 0.0);
  best["name"] = name;
  best["wall_seconds"] = seconds;
  best["steps_per_second"] = best.value("steps", 0.0) / seconds;
  return best;
}

}  // namespace

std::string line_of(const PopulationEvent& event) {
  return fmt::format("step {}: copies {}; learning rate {:.4g}, before {:.4g}",
                     event.step,
                     member_name(event.from),
                     event.new_rate,
                     event.old_rate);
}

Json to_json(const PopulationEvent& event) {
  return {{"step", event.step},
          {"member", event.member},
          {"from", event.from},
          {"old_learning_rate", event.old_rate},
          {"new_learning_rate", event.new_rate}};
}

EndedRun ended_member(const Experiment& experiment,
                      const fs::path& folder,
                      size_t member,
                      int exit_code) {
  const PlannedMember planned = population_of(experiment).at(member);
  const Json values = {
      {"member", member}, {"seed", planned.seed}, {"initial_learning_rate", planned.learning_rate}};
  const std::string label = member_name(member);
  return {label, folder / label, values, exit_code};
}

void write_population(const std::string& name,
                      const fs::path& folder,
                      const std::vector<EndedRun>& ended,
                      const Json& events,
                      const Json& lost,
                      bool whole) {
  const Json ranked = summarize_grid(name, Json::object(), ended);
  Json population = {{"format", "apo-population"},
                     {"version", 1},
                     {"name", name},
                     {"runs", ranked["runs"]},
                     {"events", events}};
  if (!lost.empty()) population["lost"] = lost;
  write_file(folder / "population.json", population.dump(2) + "\n");
  if (whole) {
    const Json summary = summary_of_all(name, folder, ranked["runs"]);
    write_file(folder / "summary.json", summary.dump(2) + "\n");
  }
  report_folder(folder, name);
  show(grid_table(ranked, folder, "population.json", terminal_columns(STDOUT_FILENO)));
}

}  // namespace apo
