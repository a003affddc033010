#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "apo/config/writer.h"
#include "apo/trace/files.h"
#include "apo/trace/run_folder.h"
#include "apo/train/population.h"
#include "grid_summary.h"
#include "report_runs.h"
#include "run.h"
#include "run_files.h"
#include "signals.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string label_of(size_t member) {
  return fmt::format("member={}", member);
}

/// Of a larger population that was here before.
void remove_members_from(size_t first, const fs::path& folder) {
  for (size_t m = first; fs::is_directory(folder / label_of(m)); ++m) {
    claim_run_folder(folder / label_of(m), /*overwrite=*/true);
    std::error_code holds_other_things;
    fs::remove(folder / label_of(m), holds_other_things);
  }
}

/// A run with files for each member.
class PopulationRun {
 public:
  PopulationRun(const Experiment& experiment, const Json& config, const RunSettings& settings)
      : experiment_(experiment),
        folder_(settings.folder),
        jobs_(settings.jobs),
        planned_(population_of(experiment)),
        assemblies_(assemble_population(experiment)) {
    claim_run_folder(folder_, settings.overwrite);
    if (settings.overwrite) remove_members_from(planned_.size(), folder_);
    write_file(folder_ / "config.yaml", to_yaml(config));
    for (size_t m = 0; m < assemblies_.size(); ++m) {
      RunSettings own = settings;
      own.folder = folder_ / label_of(m);
      own.live = false;  // the members' lines would overwrite each other
      files_.push_back(
          std::make_unique<RunFiles>(experiment, config, assemblies_[m], own, label_of(m)));
    }
  }

  int run() {
    std::vector<PopulationMember> members;
    for (size_t m = 0; m < assemblies_.size(); ++m) {
      const Assembly& assembly = assemblies_[m];
      members.push_back(
          {*assembly.problem, *assembly.rule, *assembly.tuner, files_[m]->observers()});
    }
    const std::vector<RunSummary> summaries = train_population(members, options());
    for (size_t m = 0; m < summaries.size(); ++m) files_[m]->finish(summaries[m]);
    write_results(summaries);
    return exit_code(summaries);
  }

 private:
  PopulationOptions options() {
    PopulationOptions options{.pbt = *assemblies_.front().tuner->population(),
                              .initial_range = initial_range(experiment_),
                              .seed = static_cast<uint64_t>(experiment_.seed),
                              .train = assemblies_.front().options,
                              .jobs = std::min<int64_t>(jobs_, std::ssize(assemblies_))};
    options.job_threads =
        static_cast<int>(std::max<int64_t>(1, assemblies_.front().threads / options.jobs));
    options.train.interrupted = [] { return received_signal() != 0; };
    options.on_event = [this](const PopulationEvent& event) { note(event); };
    return options;
  }

  void note(const PopulationEvent& event) {
    files_[event.member]->log().info("step {}: copies {}; learning rate {:.4g}, before {:.4g}",
                                     event.step,
                                     label_of(event.from),
                                     event.new_rate,
                                     event.old_rate);
    events_.push_back({{"step", event.step},
                       {"member", event.member},
                       {"from", event.from},
                       {"old_learning_rate", event.old_rate},
                       {"new_learning_rate", event.new_rate}});
  }

  /// population.json, and for those who rank this folder among others the summary of its best
  /// member with the time of all.
  void write_results(const std::vector<RunSummary>& summaries) {
    std::vector<EndedRun> ended;
    for (size_t m = 0; m < summaries.size(); ++m) {
      const Json values = {{"member", m},
                           {"seed", planned_[m].seed},
                           {"initial_learning_rate", planned_[m].learning_rate}};
      ended.push_back({label_of(m), folder_ / label_of(m), values, exit_code_of(summaries[m])});
    }
    const Json ranked = summarize_grid(experiment_.name, Json::object(), ended);
    const Json population = {{"format", "apo-population"},
                             {"version", 1},
                             {"name", experiment_.name},
                             {"runs", ranked["runs"]},
                             {"events", events_}};
    write_file(folder_ / "population.json", population.dump(2) + "\n");
    RunSummary best = summaries[ranked["runs"][0]["values"]["member"].get<size_t>()];
    best.wall_seconds = 0;
    for (const RunSummary& summary : summaries) best.wall_seconds += summary.wall_seconds;
    best.steps_per_second = static_cast<double>(best.steps) / best.wall_seconds;
    write_summary(folder_, experiment_.name, best);
    report_folder(folder_, experiment_.name);
    fmt::print("{}", grid_table(ranked, folder_, "population.json"));
  }

  static int exit_code(const std::vector<RunSummary>& summaries) {
    const auto some = [&](RunStatus status) {
      return std::any_of(summaries.begin(), summaries.end(), [=](const RunSummary& summary) {
        return summary.status == status;
      });
    };
    if (some(RunStatus::interrupted)) return 128 + received_signal();
    return some(RunStatus::diverged) ? 5 : 0;
  }

  const Experiment& experiment_;
  fs::path folder_;
  int64_t jobs_;
  std::vector<PlannedMember> planned_;
  std::vector<Assembly> assemblies_;
  std::vector<std::unique_ptr<RunFiles>> files_;
  Json events_ = Json::array();
};

}  // namespace

int run_population(const Experiment& experiment, const Json& config, const RunSettings& settings) {
  check_run_folder(settings.folder, settings.overwrite);  // before the data are loaded
  watch_signals();
  return PopulationRun(experiment, config, settings).run();
}

}  // namespace apo
