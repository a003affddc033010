// The training loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "apo/train/observer.h"
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
  bool auto_learning_rate = false;  ///< the tuner finds the first one
  /// Polled every step; true ends the run as interrupted.
  std::function<bool()> interrupted = [] { return false; };
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

  /// Takes up to `steps` base steps: fewer where the run ends before, diverges or is interrupted.
  void advance(int64_t steps);
  /// Closes the run and tells the observers. Ending badly is a result with a message.
  RunSummary conclude();

  int64_t steps_taken() const { return t_; }
  /// η as the traces show it: the geometric mean where there are several.
  double learning_rate() const;
  void set_learning_rate(double rate);

  /// Goes on from where `other`, a run of the same kind, is: copies its parameters, buffers,
  /// optimizer statistics, hyperparameters and step count. A divergence is forgotten; the stream of
  /// batches stays its own.
  void copy_from(const Trainer& other);

 private:
  void take_step();
  void tune(const StepContext& context);
  void end_epoch();
  void note_best(const EpochRecord& record);
  std::vector<HyperparameterRecord> tuned_values() const;
  TensorList& theta() { return problem_.parameters(); }
  Tensor rate() const;

  Problem& problem_;
  const UpdateRule& rule_;
  Tuner& tuner_;
  TrainOptions options_;
  std::vector<Observer*> observers_;
  Hyperparameters phi_;
  Statistics xi_;
  StepLog log_;
  Stopwatch clock_;
  Stopwatch meta_clock_;
  int64_t t_ = 0;  ///< base steps taken
  int64_t skipped_ = 0;
  RunSummary summary_;
};

/// A whole run. Exceptions are LibTorch's or the observers'.
RunSummary train(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 const std::vector<Observer*>& observers);

}  // namespace apo
