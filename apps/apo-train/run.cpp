#include "run.h"

#include <ATen/ops/isfinite.h>

#include <cmath>

#include "apo/checkpoint/checkpoints.h"
#include "apo/config/assemble.h"
#include "apo/cuda/recorder.h"
#include "resume.h"
#include "run_files.h"
#include "signals.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// A run with its files and checkpoints.
class Run {
 public:
  Run(const Experiment& experiment,
      const Json& config,
      Assembly& assembly,
      Checkpoints& checkpoints,
      RunFiles& files)
      : train_(experiment.train),
        config_(config),
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
    options.interrupted = [] { return received_signal() != 0; };
    options.on_checkpoint = [this] { save(); };
    if (train_.cuda_graph == "auto") {
      const auto warn = [this](const std::string& why) { files_.log().warn(why); };
      options.recorder = make_cuda_recorder(assembly_.device, warn);
    }
    return options;
  }

  /// Not of parameters from which there is no way on.
  void save() {
    for (const Tensor& parameter : assembly_.problem->parameters()) {
      if (!parameter.isfinite().all().item<bool>()) return;
    }
    checkpoints_.save({.step = trainer_.steps_taken(),
                       .best = trainer_.is_best(),
                       .config = config_,
                       .state = state()});
  }

  void visit_state(StateVisitor& visitor) {
    visitor.integer("rollbacks", rollbacks_);
    visitor.section("trainer", [this](StateVisitor& v) { trainer_.visit_state(v); });
    visitor.section("files", [this](StateVisitor& v) { files_.visit_state(v); });
  }

  /// Goes back to the last checkpoint with a smaller rate, the smaller the more often it was this
  /// one. False where that is not wanted, or has been done as often as allowed.
  bool roll_back() {
    if (train_.on_divergence != "rollback" || rollbacks_ >= train_.rollback_limit) return false;
    const auto checkpoint =
        checkpoints_.newest([this](const std::string& damage) { files_.log().warn(damage); });
    if (!checkpoint) return false;
    const int64_t rollbacks = rollbacks_ + 1;
    const int64_t diverged_at = trainer_.steps_taken() - 1;
    repeats_ = checkpoint->step == rolled_back_to_ ? repeats_ + 1 : 1;
    rolled_back_to_ = checkpoint->step;
    restore(*checkpoint);
    rollbacks_ = rollbacks;
    trainer_.scale_learning_rate(std::pow(train_.rollback_factor, -static_cast<double>(repeats_)));
    const RollbackRecord record{diverged_at, checkpoint->step, trainer_.learning_rate()};
    for (Observer* observer : files_.observers()) observer->on_rollback(record);
    return true;
  }

  const TrainSection& train_;
  const Json& config_;
  Assembly& assembly_;
  Checkpoints& checkpoints_;
  RunFiles& files_;
  TrainOptions options_;
  Trainer trainer_;
  int64_t rollbacks_ = 0;
  int64_t repeats_ = 0;
  int64_t rolled_back_to_ = -1;
};

}  // namespace

int exit_code_of(const RunSummary& summary) {
  switch (summary.status) {
    case RunStatus::finished:
      return 0;
    case RunStatus::diverged:
      return 4;
    case RunStatus::interrupted:
      return 128 + received_signal();
  }
  return 1;
}

int run(const Experiment& experiment, const Json& config, const RunSettings& settings) {
  RunFolder folder(settings.folder, settings.existing);  // before the data are loaded
  if (is_finished(settings, config)) return 0;
  Checkpoints checkpoints(folder.path() / "checkpoints", experiment.train.keep_checkpoints);
  const auto from = checkpoint_to_resume(checkpoints, settings, config);

  Assembly assembly = assemble(experiment);
  if (from) require_steps_left(*from, assembly.options.steps);
  watch_signals();  // until here there is nothing to save
  RunFiles files(experiment, config, assembly, settings, folder, from.has_value());
  Run run(experiment, config, assembly, checkpoints, files);
  require_space(folder.path(), run.state(), experiment, assembly.options.steps);
  if (from) {
    run.restore(*from);
    files.log().info("goes on from the checkpoint at step {}", from->step);
  }
  const RunSummary summary = run.train();
  write_model(folder.path(), *assembly.problem);
  files.finish(summary);
  return exit_code_of(summary);
}

}  // namespace apo
