#include <fmt/format.h>

#include <algorithm>

#include "apo/base/files.h"
#include "apo/base/system.h"
#include "apo/base/terminal.h"
#include "apo/checkpoint/checkpoints.h"
#include "apo/config/writer.h"
#include "apo/run/files.h"
#include "apo/run/grid_summary.h"
#include "apo/run/report_runs.h"
#include "apo/run/resume.h"
#include "apo/run/run.h"
#include "apo/trace/run_folder.h"
#include "apo/train/population.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// A run with files for each member.
class PopulationRun {
 public:
  /// With `from` the folder holds a run to go on with.
  PopulationRun(const Experiment& experiment,
                const Json& config,
                const RunSettings& settings,
                RunFolder& folder,
                Checkpoints& checkpoints,
                const std::optional<Checkpoint>& from)
      : experiment_(experiment),
        config_(config),
        settings_(settings),
        folder_(folder.path()),
        checkpoints_(checkpoints),
        planned_(population_of(experiment)),
        assemblies_(assemble_population(experiment)) {
    const int64_t steps = assemblies_.front().options.steps;
    if (from) {
      require_steps_left(*from, steps);
      for (size_t m = 0; m < assemblies_.size(); ++m) {
        require_same_files(*from, assemblies_[m], folder_ / member_name(m), member_name(m));
      }
    }
    require_space(settings, experiment, assemblies_);
    settings.on_start();
    if (!from) remove_members_from(planned_.size(), folder_);
    folder.claim(from.has_value());
    write_file(folder_ / "config.yaml", to_yaml(config));
    open_files(settings, from.has_value());
    options_ = make_options();
    population_ = std::make_unique<Population>(members(), options_);
    if (from) {
      restore(from->state, assemblies_.front().device, [this](StateVisitor& v) { visit_state(v); });
    }
  }

  int run() {
    population_->advance();
    save();
    checkpoints_.wait();
    const std::vector<RunSummary> summaries = population_->conclude();
    for (size_t m = 0; m < summaries.size(); ++m) {
      write_model(folder_ / member_name(m), config_, assemblies_[m]);
      files_[m]->finish(summaries[m]);
    }
    write_results(summaries);
    return exit_code(summaries);
  }

 private:
  void open_files(const RunSettings& settings, bool resumed) {
    RunSettings own = settings;
    own.live = false;  // the members' lines would overwrite each other
    for (size_t m = 0; m < assemblies_.size(); ++m) {
      const Existing existing = resumed ? Existing::resume : Existing::replace;
      folders_.push_back(std::make_unique<RunFolder>(folder_ / member_name(m), existing));
      files_.push_back(std::make_unique<RunFiles>(
          experiment_, config_, assemblies_[m], own, *folders_[m], resumed, member_name(m)));
    }
  }

  std::vector<PopulationMember> members() const {
    std::vector<PopulationMember> members;
    for (size_t m = 0; m < assemblies_.size(); ++m) {
      const Assembly& assembly = assemblies_[m];
      members.push_back(
          {*assembly.problem, *assembly.rule, *assembly.tuner, files_[m]->observers()});
    }
    return members;
  }

  State state() {
    return state_of([this](StateVisitor& visitor) { visit_state(visitor); });
  }

  void visit_state(StateVisitor& visitor) {
    visitor.section("data", [this](StateVisitor& v) { assemblies_.front().data.visit_state(v); });
    std::string events = events_.dump();
    visitor.text("events", events);
    events_ = Json::parse(events);
    visitor.section("population", [this](StateVisitor& v) { population_->visit_state(v); });
    for (size_t m = 0; m < files_.size(); ++m) {
      visitor.section(member_name(m), [&](StateVisitor& v) { files_[m]->visit_state(v); });
    }
  }

  void save() {
    checkpoints_.save(
        {.step = population_->steps_taken(), .best = false, .config = config_, .state = state()});
  }

  PopulationOptions make_options() {
    PopulationOptions options{.pbt = *assemblies_.front().tuner->population(),
                              .initial_range = initial_range(experiment_),
                              .seed = static_cast<uint64_t>(experiment_.seed),
                              .train = assemblies_.front().options,
                              .jobs = std::min<int64_t>(settings_.jobs, std::ssize(assemblies_))};
    options.job_threads =
        static_cast<int>(threads_of_job(assemblies_.front().threads, options.jobs));
    options.train.interrupted = [this] { return settings_.signal() != 0; };
    options.on_checkpoint = [this] { save(); };
    options.on_event = [this](const PopulationEvent& event) { note(event); };
    return options;
  }

  void note(const PopulationEvent& event) {
    files_[event.member]->log().info("step {}: copies {}; learning rate {:.4g}, before {:.4g}",
                                     event.step,
                                     member_name(event.from),
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
      ended.push_back({member_name(m),
                       folder_ / member_name(m),
                       values,
                       exit_code_of(summaries[m], settings_.signal())});
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
    show(grid_table(ranked, folder_, "population.json"));
  }

  int exit_code(const std::vector<RunSummary>& summaries) const {
    const auto some = [&](RunStatus status) {
      return std::any_of(summaries.begin(), summaries.end(), [=](const RunSummary& summary) {
        return summary.status == status;
      });
    };
    if (some(RunStatus::interrupted)) return 128 + settings_.signal();
    return some(RunStatus::diverged) ? 5 : 0;
  }

  const Experiment& experiment_;
  const Json& config_;
  const RunSettings& settings_;
  fs::path folder_;
  Checkpoints& checkpoints_;
  std::vector<PlannedMember> planned_;
  std::vector<Assembly> assemblies_;
  std::vector<std::unique_ptr<RunFolder>> folders_;
  std::vector<std::unique_ptr<RunFiles>> files_;
  PopulationOptions options_;
  std::unique_ptr<Population> population_;
  Json events_ = Json::array();
};

}  // namespace

int run_population(const Experiment& experiment, const Json& config, const RunSettings& settings) {
  RunFolder folder(settings.folder, settings.existing);  // before the data are loaded
  if (is_finished(settings, config)) return 0;
  Checkpoints checkpoints(folder.path() / "checkpoints", experiment.train.keep_checkpoints);
  const auto from = checkpoint_to_resume(checkpoints, settings, config);
  return PopulationRun(experiment, config, settings, folder, checkpoints, from).run();
}

}  // namespace apo
