// The numbers of the steps in flight, on their way from the device to the observers.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "apo/train/observer.h"

namespace apo {

/// What is told of a base step.
template <class T>
struct StepTerms {
  T loss = {};                         ///< ℓ, before the step
  T learning_rate = {};                ///< η, of the step
  std::optional<T> correct = {};       ///< examples classified rightly, where there are classes
  std::optional<T> learned_rate = {};  ///< η without its schedule, where there is one

  template <class F>
  auto mapped(const F& f) const {
    using U = decltype(f(loss));
    StepTerms<U> terms{f(loss), f(learning_rate)};
    if (correct) terms.correct = f(*correct);
    if (learned_rate) terms.learned_rate = f(*learned_rate);
    return terms;
  }
};

/// Holds steps back until their numbers are fetched, all in one copy: on the CPU at once, on a GPU,
/// where every look waits for the device, after many. Sums up the running metrics of the epoch on
/// the way.
class StepLog {
 public:
  /// tuned: the names of the tuned hyperparameters' values, [k][group] in a row.
  StepLog(std::vector<Observer*> observers, std::vector<std::string> tuned, bool on_host);

  const std::vector<std::string>& tuned() const { return tuned_; }

  // The numbers are valid until they are next computed.

  void push_step(int64_t step, int64_t examples, const Packed<StepTerms>& terms);
  /// values: the tuned ones behind it, in the order of their names.
  void push_meta(int64_t step, const Packed<MetaTerms>& terms, const TensorList& values);
  /// Hands what is pending to the observers, in order. Stops behind the first loss that is not
  /// finite.
  void fetch();

  /// The step whose loss was not finite, once there is one.
  const std::optional<StepRecord>& diverged() const { return diverged_; }
  /// Goes on as if the divergence had not been; the epoch's sums keep the steps before it.
  void forget_divergence() {
    diverged_.reset();
    ruined_share_ = 0;
  }
  /// Steps count as ruined whose loss is more than `factor` times that of step 0, for which
  /// `chance` is a floor: one batch's loss may be small by luck. `window`: how many steps judge a
  /// run.
  void judge_by(double chance, double factor, int64_t window);
  double untrained_loss() const { return untrained_loss_; }
  /// Whether too many of the last steps are ruined: no state to go back to.
  bool looks_ruined() const;
  /// Ends the run as diverged where of the last steps too many are ruined: a spike that recovers is
  /// none of them for long. By fewer than `window` steps only at the end of the run.
  void judge(bool at_end);
  /// Meta steps that were skipped.
  int64_t skipped() const { return skipped_; }
  /// The sums of the epoch, and the divergence if there is one; pending steps are not kept.
  void visit_state(StateVisitor& visitor);
  /// Means over the examples since the last call.
  Metrics take_running_metrics();

 private:
  struct BaseStep {
    int64_t step;
    int64_t examples;
    Packed<StepTerms> terms;
  };
  struct MetaStep {
    int64_t step;
    Packed<MetaTerms> terms;
    TensorList values;
  };
  using Pending = std::variant<BaseStep, MetaStep>;

  void push(Pending pending);
  static TensorList tensors_of(const Pending& pending);
  /// Tell what has been fetched to `next`, which goes on behind it.
  void tell(const BaseStep& base, const double*& next);
  void tell(const MetaStep& meta, const double*& next);

  std::vector<Observer*> observers_;
  std::vector<std::string> tuned_;
  bool on_host_;
  std::vector<Pending> pending_;
  std::optional<StepRecord> diverged_;
  StepRecord last_;
  double untrained_loss_ = 0;
  double chance_ = 0;
  double factor_ = std::numeric_limits<double>::infinity();
  int64_t window_ = 1;
  double ruined_share_ = 0;  ///< of the last steps, a running mean
  int64_t skipped_ = 0;
  double loss_sum_ = 0;
  double correct_sum_ = 0;
  int64_t examples_ = 0;
  bool has_classes_ = false;
};

}  // namespace apo
