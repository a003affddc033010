// What a run has reached: the last epoch's numbers and the best.
#pragma once

#include <optional>
#include <string>

#include "apo/base/state.h"
#include "apo/train/observer.h"

namespace apo {

/// Metrics that there may be.
void visit_metrics(const std::string& name, std::optional<Metrics>& metrics, StateVisitor& visitor);

class Scores {
 public:
  /// validates: whether there is a validation set.
  explicit Scores(bool validates) : validates_(validates) {}

  void note(const EpochRecord& record);
  /// Whether the epoch noted last is better than all that this was asked of before: by the
  /// validation set's accuracy, or where there are no classes by its loss; without such a set by
  /// test accuracy, or by training loss. No where it was not evaluated.
  bool is_new_best();
  /// Evaluations since the best on the validation set.
  int64_t stale() const { return stale_; }
  /// Fills in the epochs' part.
  void report_to(RunSummary& summary) const;
  void visit_state(StateVisitor& visitor);

 private:
  void note_validation(const std::optional<Metrics>& metrics);

  bool validates_;
  int64_t epochs_ = 0;
  std::optional<Metrics> final_train_;
  std::optional<Metrics> final_test_;
  std::optional<double> best_train_loss_;
  std::optional<double> best_test_accuracy_;
  std::optional<double> score_;       ///< of the epoch noted last, the larger the better
  std::optional<double> best_score_;  ///< of those that is_new_best was asked of
  std::optional<Metrics> final_validation_;
  std::optional<Metrics> best_validation_;
  int64_t stale_ = 0;
};

}  // namespace apo
