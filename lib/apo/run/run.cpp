#include "apo/run/run.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "apo/checkpoint/checkpoints.h"
#include "apo/cuda/recorder.h"
#include "apo/run/assemble.h"
#include "apo/run/files.h"
#include "apo/run/resume.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// A run with its files and checkpoints.
class Run {
 public:
  Run(const Experiment& experiment,
      const Json& config,
      const RunSettings& settings,
      Assembly& assembly,
      Checkpoints& checkpoints,
      RunFiles& files)
      : train_(experiment.train),
        config_(config),
        settings_(settings),
        assembly_(assembly),
        checkpoints_(checkpoints),
        files_(files),
        options_(with_callbacks(assembly.options)),
        trainer_(*assembly.problem, *assembly.rule, *assembly.tuner, options_, files.observers()) {}

  State state() {
    return state_of([this](StateVisitor& visitor) { visit_state(visitor); });
  }

  void restore(const Checkpoint& from) {
    apo::restore(
        from.state, assembly_.device, [this](StateVisitor& visitor) { visit_state(visitor); });
  }

  RunSummary train() {
    if (train_.on_divergence == "rollback" && trainer_.steps_taken() == 0) save();
    do {
      trainer_.advance_to(options_.steps);
    } while (trainer_.diverged() && roll_back());
    if (!trainer_.diverged()) save();
    checkpoints_.wait();
    return trainer_.conclude();
  }

 private:
  TrainOptions with_callbacks(TrainOptions options) {
    options.interrupted = [this] { return settings_.signal() != 0; };
    options.on_checkpoint = [this] { save(); };
    options.on_cut_epoch = [this] { before_cut_ = state(); };
    if (train_.cuda_graph == "auto") {
      const auto warn = [this](const std::string& why) { files_.log().warn(why); };
      options.recorder = make_cuda_recorder(assembly_.device, warn);
    }
    return options;
  }

  /// Not of what there is no way on from.
  void save() {
    if (trainer_.is_broken_off()) return;
    for (const Tensor& parameter : assembly_.problem->parameters()) {
      if (!parameter.isfinite().all().item<bool>()) return;
    }
    const bool best = trainer_.is_new_best();  // before the state, which remembers it
    checkpoints_.save({.step = trainer_.steps_taken(),
                       .best = best,
                       .scheduled = trainer_.is_on_schedule(),
                       .config = config_,
                       .state = before_cut_ ? *std::exchange(before_cut_, {}) : state()});
  }

  void visit_state(StateVisitor& visitor) {
    visitor.section("data", [this](StateVisitor& v) { assembly_.data.visit_state(v); });
    visitor.list("rollback", rollbacks_, [](RollbackRecord& record, StateVisitor& v) {
      v.integer("step", record.step);
      v.integer("to_step", record.to_step);
      v.real("learning_rate", record.learning_rate);
    });
    visitor.section("trainer", [this](StateVisitor& v) { trainer_.visit_state(v); });
    visitor.section("files", [this](StateVisitor& v) { files_.visit_state(v); });
  }

  /// Goes back to the last scheduled checkpoint with a smaller rate, the smaller the more often it
  /// was this one. False where that is not wanted, or has been done as often as allowed.
  bool roll_back() {
    const bool allowed = std::ssize(rollbacks_) < train_.rollback_limit;
    if (train_.on_divergence != "rollback" || !allowed) return false;
    const auto checkpoint = checkpoints_.newest_scheduled(
        [this](const std::string& damage) { files_.log().warn(damage); });
    if (!checkpoint) return false;
    RollbackRecord record{trainer_.diverged_at(), checkpoint->step, 0};
    std::vector<RollbackRecord> told = rollbacks_;
    restore(*checkpoint);
    for (size_t i = rollbacks_.size(); i < told.size(); ++i) files_.tell_again(told[i]);
    // In a row, from the last one back.
    const auto other = std::find_if(told.rbegin(), told.rend(), [&](const RollbackRecord& before) {
      return before.to_step != checkpoint->step;
    });
    const auto repeats = static_cast<double>(other - told.rbegin() + 1);
    trainer_.scale_learning_rate(std::pow(train_.rollback_factor, -repeats));
    record.learning_rate = trainer_.learning_rate();
    for (Observer* observer : files_.observers()) observer->on_rollback(record);
    told.push_back(record);
    rollbacks_ = std::move(told);
    return true;
  }

  const TrainSection& train_;
  const Json& config_;
  const RunSettings& settings_;
  Assembly& assembly_;
  Checkpoints& checkpoints_;
  RunFiles& files_;
  TrainOptions options_;
  Trainer trainer_;
  std::vector<RollbackRecord> rollbacks_;
  std::optional<State> before_cut_;
};

}  // namespace

int exit_code_of(const RunSummary& summary, int signal) {
  switch (summary.status) {
    case RunStatus::finished:
      return 0;
    case RunStatus::diverged:
      return 4;
    case RunStatus::interrupted:
      return 128 + signal;
  }
  return 1;
}

int run(const Experiment& experiment, const Json& config, const RunSettings& settings) {
  RunFolder folder(settings.folder, settings.existing);  // before the data are loaded
  if (is_finished(settings, config)) return 0;
  Checkpoints checkpoints(folder.path() / "checkpoints", experiment.train.keep_checkpoints);
  const auto from = checkpoint_to_resume(checkpoints, settings, config);

  Assembly assembly = assemble(experiment);
  if (from) {
    require_steps_left(*from, assembly.options.steps);
    require_same_files(*from, assembly, folder.path(), "files");
  }
  require_space(settings, experiment, {&assembly, 1});
  settings.on_start();
  if (!from) remove_members_from(0, folder.path());
  RunFiles files(experiment, config, assembly, settings, folder, from.has_value());
  Run run(experiment, config, settings, assembly, checkpoints, files);
  if (from) {
    run.restore(*from);
    files.log().info("goes on from the checkpoint at step {}", from->step);
  }
  const RunSummary summary = run.train();
  write_model(folder.path(), config, assembly);
  files.finish(summary);
  return exit_code_of(summary, settings.signal());
}

}  // namespace apo
