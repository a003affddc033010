#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "apo/base/files.h"
#include "apo/base/system.h"
#include "apo/base/terminal.h"
#include "apo/run/grid_summary.h"
#include "apo/run/process.h"
#include "apo/run/report_runs.h"
#include "apo/run/session.h"
#include "apo/train/population.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// The members of a population, with what is said of all of them.
class PopulationRun {
 public:
  explicit PopulationRun(Session& session)
      : session_(session), options_(make_options()), population_(members(), options_) {
    session.carry([this](StateVisitor& visitor) { visit_state(visitor); });
  }

  int run() {
    population_.advance();
    save();
    session_.checkpoints().wait();
    population_.with_averages([this](size_t member) { session_.write_average(member); });
    const std::vector<RunSummary> summaries = population_.conclude();
    session_.finish(summaries);
    write_results(summaries);
    return exit_code(summaries);
  }

 private:
  std::vector<PopulationMember> members() const {
    std::vector<PopulationMember> members;
    for (size_t m = 0; m < session_.assemblies().size(); ++m) {
      const Assembly& assembly = session_.assemblies()[m];
      members.push_back(
          {*assembly.problem, *assembly.rule, *assembly.tuner, session_.files(m)->observers()});
    }
    return members;
  }

  void visit_state(StateVisitor& visitor) {
    std::string events = events_.dump();
    visitor.text("events", events);
    events_ = Json::parse(events);
    visitor.section("population", [this](StateVisitor& v) { population_.visit_state(v); });
  }

  void save() { session_.save(population_.steps_taken(), /*best=*/false, /*scheduled=*/true); }

  PopulationOptions make_options() {
    const Experiment& experiment = session_.experiment();
    const std::vector<Assembly>& assemblies = session_.assemblies();
    PopulationOptions options{
        .pbt = experiment.train.population,
        .initial_range = initial_range(experiment),
        .seed = static_cast<uint64_t>(experiment.seed),
        .train = assemblies.front().options,
        .jobs = std::min<int64_t>(session_.settings().jobs, std::ssize(assemblies))};
    const int64_t threads = threads_of_job(assemblies.front().threads, options.jobs);
    options.on_job = [threads] { use_threads(threads); };
    options.train.remedy = "";  // members go back to none of their own
    options.train.interrupted = session_.interrupted();
    options.on_checkpoint = [this] { save(); };
    options.on_event = [this](const PopulationEvent& event) { note(event); };
    return options;
  }

  void note(const PopulationEvent& event) {
    session_.files(event.member)
        ->log()
        .info(fmt::format("step {}: copies {}; learning rate {:.4g}, before {:.4g}",
                          event.step,
                          member_name(event.from),
                          event.new_rate,
                          event.old_rate));
    events_.push_back({{"step", event.step},
                       {"member", event.member},
                       {"from", event.from},
                       {"old_learning_rate", event.old_rate},
                       {"new_learning_rate", event.new_rate}});
  }

  /// population.json, and for those who rank this folder among others the summary of its best
  /// member with the time of all.
  void write_results(const std::vector<RunSummary>& summaries) {
    const std::filesystem::path& folder = session_.folder();
    const std::string& name = session_.experiment().name;
    const Json ranked = summarize_grid(name, Json::object(), ended(summaries));
    const Json population = {{"format", "apo-population"},
                             {"version", 1},
                             {"name", name},
                             {"runs", ranked["runs"]},
                             {"events", events_}};
    write_file(folder / "population.json", population.dump(2) + "\n");
    RunSummary best = summaries[ranked["runs"][0]["values"]["member"].get<size_t>()];
    best.wall_seconds = 0;
    for (const RunSummary& summary : summaries) best.wall_seconds += summary.wall_seconds;
    best.steps_per_second = static_cast<double>(best.steps) / best.wall_seconds;
    write_summary(folder, name, best);
    report_folder(folder, name);
    show(grid_table(ranked, folder, "population.json", terminal_columns(STDOUT_FILENO)));
  }

  std::vector<EndedRun> ended(const std::vector<RunSummary>& summaries) const {
    const std::vector<PlannedMember> planned = population_of(session_.experiment());
    std::vector<EndedRun> ended;
    for (size_t m = 0; m < summaries.size(); ++m) {
      const Json values = {{"member", m},
                           {"seed", planned[m].seed},
                           {"initial_learning_rate", planned[m].learning_rate}};
      const int code = exit_code_of(summaries[m], session_.settings().signal());
      ended.push_back({member_name(m), session_.folder_of(m), values, code});
    }
    return ended;
  }

  int exit_code(const std::vector<RunSummary>& summaries) const {
    const auto some = [&](RunStatus status) {
      return std::any_of(summaries.begin(), summaries.end(), [=](const RunSummary& summary) {
        return summary.status == status;
      });
    };
    if (some(RunStatus::interrupted)) return 128 + session_.settings().signal();
    return some(RunStatus::diverged) ? 5 : 0;
  }

  Session& session_;
  PopulationOptions options_;
  Population population_;
  Json events_ = Json::array();
};

}  // namespace

int train_members(Session& session) {
  return PopulationRun(session).run();
}

}  // namespace apo
