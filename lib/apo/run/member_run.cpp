#include <fmt/format.h>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/run/collect.h"
#include "apo/run/folder_exchange.h"
#include "apo/run/population_files.h"
#include "apo/run/population_folder.h"
#include "apo/run/session.h"

namespace apo {
namespace {

/// How often a member has to have copied before the state it was copied from can go: all who go on
/// have then said that they have got to the turn behind it.
constexpr size_t kPublished = 2;

std::string loss_of(size_t member, int64_t turn) {
  return fmt::format(
      "the others have lost their patience with {} and gone on without it from turn "
      "{} on (train.population.patience); its files stay as they are",
      member_name(member),
      turn);
}

/// A member alone, beside others that it meets in the population's folder.
class MemberRun {
 public:
  MemberRun(Session& session, size_t member)
      : session_(session),
        files_(*session.files(0)),
        exchange_(exchange_options(member)),
        options_(options(member)),
        population_(members(), options_) {
    const auto step = session.carry([this](StateVisitor& visitor) { visit_state(visitor); });
    session.checkpoints().keep_also(published_);
    if (step) files_.log().info(fmt::format("goes on from the checkpoint at step {}", *step));
  }

  int run() {
    population_.advance();
    if (const auto turn = exchange_.lost_since()) {
      files_.log().warn(loss_of(options_.first, *turn));
      return kExitLost;
    }
    if (!is_published(population_.steps_taken())) save(population_.steps_taken());
    session_.checkpoints().wait();
    population_.with_averages([this](size_t) { session_.write_average(0); });
    const std::vector<RunSummary> summaries = population_.conclude();
    session_.finish(summaries);
    return exit_code_of(summaries.front(), session_.signal());
  }

 private:
  FolderExchangeOptions exchange_options(size_t member) {
    const PbtOptions& pbt = session_.experiment().train.population;
    return {.folder = session_.folder().parent_path(),
            .members = static_cast<size_t>(pbt.members),
            .member = member,
            .patience = pbt.patience,
            .device = session_.assemblies().front().device,
            .interrupted = session_.interrupted(),
            .save = [this](int64_t step) { save_published(step); },
            .tell = [this](const std::string& line) { files_.log().info(line); }};
  }

  PopulationOptions options(size_t member) {
    PopulationOptions options = population_options(session_);
    options.first = member;
    options.exchange = &exchange_;
    options.on_event = [this](const PopulationEvent& event) { files_.log().info(line_of(event)); };
    return options;
  }

  std::vector<PopulationMember> members() const {
    const Assembly& assembly = session_.assemblies().front();
    return {{*assembly.problem, *assembly.rule, *assembly.tuner, files_.observers()}};
  }

  void visit_state(StateVisitor& visitor) {
    visitor.list(
        "published", published_, [](int64_t& step, StateVisitor& v) { v.integer("step", step); });
    visitor.section(kPopulationSection, [this](StateVisitor& v) { population_.visit_state(v); });
  }

  bool is_published(int64_t step) const { return !published_.empty() && published_.back() == step; }

  /// What others may copy from stays until nobody can need it. From it this member goes on, too.
  void save_published(int64_t step) {
    if (is_published(step)) return;  // restored, or waited for in vain
    published_.push_back(step);
    if (published_.size() > kPublished) published_.erase(published_.begin());
    session_.checkpoints().keep_also(published_);
    save(step);
    session_.checkpoints().wait();
  }

  void save(int64_t step) { session_.save(step, /*best=*/false, /*scheduled=*/true); }

  Session& session_;
  RunFiles& files_;
  std::vector<int64_t> published_;  ///< the steps of the checkpoints that others may copy from
  FolderExchange exchange_;
  PopulationOptions options_;
  Population population_;
};

}  // namespace

int run_member(const Experiment& experiment,
               const nlohmann::ordered_json& config,
               const RunSettings& settings) {
  const size_t member = settings.member.value();
  const auto members = static_cast<size_t>(experiment.train.population.members);
  if (members == 1 || member >= members) {
    throw Error(ErrorKind::config,
                members == 1 ? fmt::format("--member {}: the run is no population; accepted: "
                                           "train.population.members above 1",
                                           member)
                             : fmt::format("--member {}: must be >= 0 and < {}", member, members));
  }
  PopulationFolder population(settings.folder, members, config);
  RunSettings own = settings;
  own.folder /= member_name(member);
  Session* begun = nullptr;
  own.on_start = [&] {
    population.join(begun->assemblies().front().data);
    settings.on_start();
  };
  Session session(experiment, config, own);
  begun = &session;
  if (const auto turn = population.claims().lost_since(member)) {
    say(fmt::format("{}: {}\n", own.folder.string(), loss_of(member, *turn)));
    return kExitLost;
  }
  int code = 0;
  if (!session.is_over()) {
    session.begin();
    code = MemberRun(session, member).run();
  }
  const bool has_ended = code == 0 || code == 4;
  if (has_ended) collect_whole_population(experiment, config, settings.folder);
  return code;
}

}  // namespace apo
