// The training loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "apo/train/observer.h"

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

/// Trains `problem` in place. Observers are called in order and must outlive the run.
/// Ending badly is a result with a message; exceptions are LibTorch's or the observers'.
RunSummary train(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 const std::vector<Observer*>& observers);

}  // namespace apo
