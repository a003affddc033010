#include <algorithm>

#include "apo/base/system.h"
#include "apo/run/population_files.h"
#include "apo/run/process.h"
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
    const std::vector<Assembly>& assemblies = session_.assemblies();
    PopulationOptions options = population_options(session_);
    options.jobs = std::min<int64_t>(session_.settings().jobs, std::ssize(assemblies));
    const int64_t threads = threads_of_job(assemblies.front().threads, options.jobs);
    options.on_job = [threads] { use_threads(threads); };
    options.on_checkpoint = [this] { save(); };
    options.on_event = [this](const PopulationEvent& event) { note(event); };
    return options;
  }

  void note(const PopulationEvent& event) {
    session_.files(event.member)->log().info(line_of(event));
    events_.push_back(to_json(event));
  }

  void write_results(const std::vector<RunSummary>& summaries) {
    const Experiment& experiment = session_.experiment();
    std::vector<EndedRun> ended;
    for (size_t m = 0; m < summaries.size(); ++m) {
      const int code = exit_code_of(summaries[m], session_.settings().signal());
      ended.push_back(ended_member(experiment, session_.folder(), m, code));
    }
    write_population(
        experiment.name, session_.folder(), ended, events_, Json::array(), /*whole=*/true);
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

PopulationOptions population_options(const Session& session) {
  const Experiment& experiment = session.experiment();
  PopulationOptions options{.pbt = experiment.train.population,
                            .initial_range = initial_range(experiment),
                            .seed = static_cast<uint64_t>(experiment.seed),
                            .train = session.assemblies().front().options};
  options.train.remedy = "";  // members go back to none of their own
  options.train.interrupted = session.interrupted();
  return options;
}

int train_members(Session& session) {
  return PopulationRun(session).run();
}

}  // namespace apo
