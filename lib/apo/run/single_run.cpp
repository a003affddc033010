#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "apo/cuda/recorder.h"
#include "apo/run/session.h"

namespace apo {
namespace {

/// A run of its own, with the ways back from a divergence.
class Run {
 public:
  explicit Run(Session& session)
      : session_(session),
        train_(session.experiment().train),
        assembly_(session.assemblies().front()),
        files_(session.files(0)),
        options_(with_callbacks(assembly_.options)),
        trainer_(*assembly_.problem,
                 *assembly_.rule,
                 *assembly_.tuner,
                 options_,
                 files_ ? files_->observers() : std::vector<Observer*>{}) {
    const auto step = session.carry([this](StateVisitor& visitor) { visit_state(visitor); });
    if (step && files_)
      files_->log().info(fmt::format("goes on from the checkpoint at step {}", *step));
  }

  RunSummary train() {
    if (rolls_back() && trainer_.steps_taken() == 0) save();
    do {
      trainer_.advance_to(options_.steps);
    } while (trainer_.diverged() && roll_back());
    if (!trainer_.diverged()) save();
    session_.checkpoints().wait();
    trainer_.with_average([this] { session_.write_average(0); });
    return trainer_.conclude();
  }

 private:
  TrainOptions with_callbacks(TrainOptions options) {
    if (rolls_back()) options.remedy = "a larger train.rollback_factor";
    options.interrupted = session_.interrupted();
    options.on_checkpoint = [this] { save(); };
    options.on_cut_epoch = [this] { before_cut_ = session_.state(); };
    if (train_.cuda_graph == TrainSection::CudaGraph::automatic) {
      const auto warn = [this](const std::string& why) { this->warn(why); };
      options.recorder = make_cuda_recorder(assembly_.device, warn);
    }
    return options;
  }

  void warn(const std::string& words) {
    if (files_) files_->log().warn(words);
  }

  /// Not of what there is no way on from.
  void save() {
    if (trainer_.is_broken_off()) return;
    average_buffers(*assembly_.problem);
    for (const Tensor& parameter : assembly_.problem->network->parameters()) {
      if (!parameter.isfinite().all().item<bool>()) return;
    }
    const bool best = trainer_.is_new_best();  // before the state, which remembers it
    const bool scheduled = trainer_.is_on_schedule();
    session_.save(trainer_.steps_taken(), best, scheduled, std::exchange(before_cut_, {}));
  }

  void visit_state(StateVisitor& visitor) {
    visitor.list("rollback", rollbacks_, [](RollbackRecord& record, StateVisitor& v) {
      v.integer("step", record.step);
      v.integer("to_step", record.to_step);
      v.real("learning_rate", record.learning_rate);
    });
    visitor.section("trainer", [this](StateVisitor& v) { trainer_.visit_state(v); });
  }

  bool rolls_back() const { return train_.on_divergence == TrainSection::OnDivergence::rollback; }

  /// Goes back to the last scheduled checkpoint with a smaller rate, the smaller the more often it
  /// was this one. False where that is not wanted, or has been done as often as allowed.
  bool roll_back() {
    const bool allowed = std::ssize(rollbacks_) < train_.rollback_limit;
    if (!rolls_back() || !allowed) return false;
    session_.checkpoints().wait();
    session_.signal();  // no rank reads what another still writes
    const auto checkpoint = session_.checkpoints().newest_scheduled(
        [this](const std::string& damage) { warn(damage); });
    if (!checkpoint) return false;
    RollbackRecord record{trainer_.diverged_at(), checkpoint->step, 0};
    std::vector<RollbackRecord> told = rollbacks_;
    session_.restore(*checkpoint);
    for (size_t i = rollbacks_.size(); files_ && i < told.size(); ++i) files_->tell_again(told[i]);
    // In a row, from the last one back.
    const auto other = std::find_if(told.rbegin(), told.rend(), [&](const RollbackRecord& before) {
      return before.to_step != checkpoint->step;
    });
    const auto repeats = static_cast<double>(other - told.rbegin() + 1);
    trainer_.scale_learning_rate(std::pow(train_.rollback_factor, -repeats));
    record.learning_rate = trainer_.learning_rate();
    if (files_) {
      for (Observer* observer : files_->observers()) observer->on_rollback(record);
    }
    told.push_back(record);
    rollbacks_ = std::move(told);
    return true;
  }

  Session& session_;
  const TrainSection& train_;
  Assembly& assembly_;
  RunFiles* files_;  ///< nullptr: another rank's
  TrainOptions options_;
  Trainer trainer_;
  std::vector<RollbackRecord> rollbacks_;
  std::optional<State> before_cut_;
};

}  // namespace

int train_run(Session& session) {
  Run run(session);
  const RunSummary summary = run.train();
  session.finish({summary});
  return exit_code_of(summary, session.signal());
}

}  // namespace apo
