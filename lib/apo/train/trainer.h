// The training loop.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apo/schedule/schedule.h"
#include "apo/train/average.h"
#include "apo/train/device_stopwatch.h"
#include "apo/train/observer.h"
#include "apo/train/scores.h"
#include "apo/train/step_log.h"
#include "apo/train/stopwatch.h"

namespace apo {

/// Whether an epoch's training metrics are means over its steps or a pass over the training set at
/// its end.
enum class TrainMetrics { running, full };

struct TrainOptions {
  int64_t steps = 0;           ///< base steps in all
  int64_t evaluate_every = 1;  ///< epochs; the last is always evaluated, 0: none is
  TrainMetrics train_metrics = TrainMetrics::running;
  /// Evaluations without a better validation score after which the run ends; 0: never.
  int64_t patience = 0;
  AverageOptions average = {};
  bool auto_learning_rate = false;  ///< the tuner finds the first one
  /// Of η in the base steps; nullptr: as the tuner decides it.
  std::shared_ptr<const Schedule> schedule = {};
  int64_t checkpoint_every = 0;  ///< epochs; 0: none is due on the way
  /// What else to change where it diverges, beside rates.
  std::string remedy = "train.on_divergence=rollback";
  /// Records the parts of a step for a device; nullptr: every kernel is issued each time.
  std::shared_ptr<Recorder> recorder = {};
  /// Polled every step and in evaluations; true ends the run as interrupted.
  Poll interrupted = [] { return false; };
  /// Called between two steps, where a checkpoint is due.
  std::function<void()> on_checkpoint = [] {};
  /// Called before an epoch that the end of the run cuts short is closed: from what the run is here
  /// a longer run goes on as if it had never ended.
  std::function<void()> on_cut_epoch = [] {};
};

/// A run that can be advanced by parts, so that several can take turns. Trains `problem` in place.
/// Observers are called in order; they, problem, rule and tuner must outlive it.
class Trainer {
 public:
  Trainer(Problem& problem,
          const UpdateRule& rule,
          Tuner& tuner,
          const TrainOptions& options,
          std::vector<Observer*> observers);

  /// Goes on to step `end`, or to where the run ends before, diverges or is interrupted.
  void advance_to(int64_t end);
  /// Closes the run and tells the observers. Ending badly is a result with a message.
  RunSummary conclude();

  int64_t steps_taken() const { return t_; }
  /// The names of the tuned values, as the observers hear them.
  const std::vector<std::string>& tuned() const { return log_.tuned(); }
  /// η as the tuner has decided it, without its schedule: the geometric mean where there are
  /// several.
  double learning_rate() const;
  void set_learning_rate(double rate);
  /// Multiplies η, of every group; before the first step also the one that the tuner then finds.
  void scale_learning_rate(double factor);
  bool diverged() const { return log_.diverged().has_value(); }
  /// The step at which it did. Pre: it has.
  int64_t diverged_at() const { return log_.diverged()->step; }
  /// Whether what the run is now, at the end of an epoch that was measured, is better than all that
  /// this was asked of before, as Scores judges.
  bool is_new_best();
  /// Whether the run is where train.checkpoint_every wants a checkpoint, or at its start, and may
  /// be gone back to.
  bool is_on_schedule() const;

  /// Whether it was interrupted in a step that has left traces: nothing is lost, for it was the
  /// first, but what the run is now must not be saved.
  bool is_broken_off() const { return broken_off_; }

  /// Calls `use` while the problem's network holds the averaged weights. Not where there are none,
  /// nor where the run was interrupted.
  void with_average(const std::function<void()>& use) {
    if (!is_interrupted()) average_.lend_to(problem_, use);
  }

  /// All that the rest of the run depends on. Restored, the run goes on as if it had never stopped.
  void visit_state(StateVisitor& visitor);

  /// The part of the state with which a run goes on from where another of its kind is: parameters,
  /// buffers, optimizer statistics, hyperparameters, averaged weights, the tuner's state and the
  /// step count. Restored, a divergence is forgotten; the stream of batches stays its own.
  void visit_inherited(StateVisitor& visitor);
  /// Goes on from where `other`, a run of the same kind, is.
  void copy_from(Trainer& other);

 private:
  /// What a forward and a backward pass leave. Tensors without history.
  struct Gradient {
    Tensor loss;
    Tensor correct;
    TensorList g;
    int64_t positions = 0;  ///< the examples, or what of a sequence counts as one
    int64_t outputs = 0;    ///< of a position

    template <class Visit>
    void visit_tensors(const Visit& visit) const {
      visit(loss);
      visit(correct);
      std::for_each(g.begin(), g.end(), visit);
    }
  };

  /// False where it was interrupted before step 0, of which then nothing remains.
  bool take_step();
  Gradient differentiate(const Batch& x);
  void make_whole(Gradient& at, const Batch& x) const;
  void judge_by_chance(const Gradient& at);
  void tune(const StepContext& context);
  bool is_interrupted() const {
    return !log_.diverged() && recorded_ < options_.steps && !ended_early();
  }
  /// Whether it waits for a better validation score no longer.
  bool ended_early() const { return options_.patience > 0 && scores_.stale() >= options_.patience; }
  std::string reason(const StepRecord& bad) const;
  Packed<StepTerms> update(const Gradient& at);
  void walk_inherited(StateVisitor& visitor);
  void forget_recordings();
  bool is_epoch_over() const;
  void end_epoch();
  TensorList& theta() const { return problem_.network->parameters(); }
  Tensor rate() const;
  HyperparameterValues scheduled_values() const;
  /// Of the last step taken, or before the first of that; 1 where there is no schedule.
  double scheduled() const;

  Problem& problem_;
  const UpdateRule& rule_;
  Tuner& tuner_;
  TrainOptions options_;
  std::vector<Observer*> observers_;
  Hyperparameters phi_;
  Statistics xi_;
  StepLog log_;
  Scores scores_;
  WeightAverage average_;
  Replayed<Batch, Gradient> differentiated_;
  Replayed<Gradient, Packed<StepTerms>> updated_;
  Stopwatch clock_;
  DeviceStopwatch meta_clock_;
  Tensor factor_;         ///< of η in the step, on θ's device; only where there is a schedule
  int64_t t_ = 0;         ///< base steps taken
  int64_t recorded_ = 0;  ///< at the end of the last epoch that was recorded
  double found_rate_scale_ = 1;
  bool broken_off_ = false;
  bool judged_ = false;  ///< the log knows what to judge by
};

/// A whole run. Exceptions are LibTorch's or the observers'.
RunSummary train(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 const std::vector<Observer*>& observers);

}  // namespace apo
