// The numbers of the steps in flight, on their way from the device to the observers.
#pragma once

#include <optional>
#include <vector>

#include "apo/train/observer.h"

namespace apo {

/// Scalars of one step, still on the device; `correct` is undefined where there are no classes.
struct StepNumbers {
  int64_t step = 0;
  int64_t examples = 0;
  Tensor loss;
  Tensor correct;
  Tensor learning_rate;
};

/// Holds steps back until their numbers are fetched, all in one copy: on the CPU after each step,
/// on a GPU, where every look waits for the device, after many. Sums up the running metrics of the
/// epoch on the way.
class StepLog {
 public:
  StepLog(std::vector<Observer*> observers, bool on_host);

  void push(StepNumbers numbers);
  /// Hands the fetched steps to the observers. Stops behind the first loss that is not finite.
  void fetch();

  /// The step whose loss was not finite, once there is one.
  const std::optional<StepRecord>& diverged() const { return diverged_; }
  /// Goes on as if the divergence had not been; the epoch's sums keep the steps before it.
  void forget_divergence() { diverged_.reset(); }
  /// The sums of the epoch, and the divergence if there is one; pending steps are not kept.
  void visit_state(StateVisitor& visitor);
  /// Means over the examples since the last call.
  Metrics take_running_metrics();

 private:
  void sum_up(double loss, double correct, int64_t examples, bool has_classes);

  std::vector<Observer*> observers_;
  size_t capacity_;
  std::vector<StepNumbers> pending_;
  std::optional<StepRecord> diverged_;
  double loss_sum_ = 0;
  double correct_sum_ = 0;
  int64_t examples_ = 0;
  bool has_classes_ = false;
};

}  // namespace apo
