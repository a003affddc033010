#include "apo/run/session.h"

#include <fmt/format.h>

#include <utility>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/version.h"
#include "apo/config/writer.h"
#include "apo/run/resume.h"
#include "apo/run/space.h"

namespace apo {

namespace {

/// A run that goes on has its parameters in its checkpoint, whatever a file has by now.
Experiment without_weights(Experiment experiment) {
  experiment.model.weights.clear();
  return experiment;
}

}  // namespace

Session::Session(const Experiment& experiment,
                 const nlohmann::ordered_json& config,
                 const RunSettings& settings)
    : experiment_(experiment),
      config_(config),
      settings_(settings),
      population_(experiment.is_population() && !settings.member),
      checkpoints_(settings.folder / "checkpoints", experiment.train.keep_checkpoints) {
  if (experiment.is_population() && settings.group->size() > 1) {
    throw Error(ErrorKind::config,
                "train.population.members: several ranks train one network; accepted: 1, or one "
                "rank");
  }
  settings.group->set_patience(experiment.train.rank_patience);
  if (settings.group->leads()) folder_.emplace(settings.folder, settings.existing);
  std::error_code ignored;
  const bool of_processes = std::filesystem::exists(settings.folder / kTurns, ignored);
  if (of_processes && settings.existing == Existing::resume) {
    throw Error(ErrorKind::config,
                settings.folder.string() +
                    ": holds a population whose members are processes; accepted: --member, to go "
                    "on with one, or another --output or name");
  }
}

bool Session::is_over() const {
  return is_finished(settings_, config_);
}

void Session::begin() {
  from_ = checkpoint_to_resume(checkpoints_, settings_, config_);
  assemblies_ = assemble(
      from_ ? without_weights(experiment_) : experiment_, *settings_.group, settings_.member);
  if (from_) check_against(*from_);
  require_same_on_all_ranks();  // and from here on files may change
  if (folder_) require_space(settings_, experiment_, assemblies_);
  settings_.on_start();
  if (!folder_) return;
  if (!from_) remove_members_from(population_ ? assemblies_.size() : 0, folder());
  open_files();
}

/// Else they would train on one another's mistakes.
void Session::require_same_on_all_ranks() const {
  Group& group = *settings_.group;
  if (group.size() == 1) return;
  require_same(group, "program", fmt::format("{} {}", version(), commit()));
  require_same(group, "configuration", config_.dump());
  const State data = state_of([this](StateVisitor& v) { assemblies_.front().data.visit_state(v); });
  std::string words;
  for (const auto& [name, value] : data.values) {
    std::visit([&](const auto& known) { words += fmt::format("{} {} ", name, known); }, value);
  }
  require_same(group, "data", words);
  require_same(group, "checkpoint", from_ ? std::to_string(from_->step) : "none");
}

std::optional<int64_t> Session::carry(std::function<void(StateVisitor&)> content) {
  content_ = std::move(content);
  if (!from_) return std::nullopt;
  restore(*from_);
  return std::exchange(from_, {})->step;
}

State Session::state() {
  return state_of([this](StateVisitor& visitor) { visit_state(visitor); });
}

void Session::restore(const Checkpoint& from) {
  apo::restore(from.state, assemblies_.front().device, [this](StateVisitor& visitor) {
    visit_state(visitor);
  });
}

void Session::save(int64_t step, bool best, bool scheduled, std::optional<State> state) {
  if (!folder_) return;
  checkpoints_.save({.step = step,
                     .best = best,
                     .scheduled = scheduled,
                     .config = config_,
                     .state = state ? std::move(*state) : this->state()});
}

void Session::write_average(size_t run) {
  if (!folder_) return;
  apo::write_average(folder_of(run), config_, assemblies_[run]);
}

void Session::finish(const std::vector<RunSummary>& summaries) {
  for (size_t run = 0; run < files_.size(); ++run) {
    write_model(folder_of(run), config_, assemblies_[run]);
    files_[run]->finish(summaries[run]);
  }
}

std::filesystem::path Session::folder_of(size_t run) const {
  return population_ ? folder() / member_name(run) : folder();
}

int Session::signal() const {
  return static_cast<int>(settings_.group->max(settings_.signal()));
}

Poll Session::interrupted() const {
  return [this] { return signal() != 0; };
}

std::string Session::section_of(size_t run) const {
  return population_ ? member_name(run) : "files";
}

void Session::check_against(const Checkpoint& from) const {
  require_steps_left(from, assemblies_.front().options.steps);
  for (size_t run = 0; run < assemblies_.size(); ++run) {
    require_same_files(from, assemblies_[run], folder_of(run), section_of(run));
  }
}

void Session::open_files() {
  const bool resumed = from_.has_value();
  folder_->claim(resumed);
  if (population_) write_file(folder() / "config.yaml", to_yaml(config_));
  RunSettings settings = settings_;
  settings.live = settings.live && !population_;  // members' lines would overwrite each other
  for (size_t run = 0; run < assemblies_.size(); ++run) {
    const bool is_member = population_ || settings_.member;
    const std::string label = is_member ? member_name(settings_.member.value_or(run)) : "";
    if (population_) {
      const Existing existing = resumed ? Existing::resume : Existing::replace;
      folders_.push_back(std::make_unique<RunFolder>(folder_of(run), existing));
      folders_.back()->claim(resumed);
    }
    files_.push_back(std::make_unique<RunFiles>(
        experiment_, config_, assemblies_[run], settings, folder_of(run), resumed, label));
  }
}

void Session::visit_state(StateVisitor& visitor) {
  visitor.section("data", [this](StateVisitor& v) { assemblies_.front().data.visit_state(v); });
  content_(visitor);
  for (size_t run = 0; run < files_.size(); ++run) {
    visitor.section(section_of(run), [&](StateVisitor& v) { files_[run]->visit_state(v); });
  }
}

}  // namespace apo
