// What is odd about how a tuner moves φ: watched as a run goes on, and told in a sentence.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/train/observer.h"

namespace apo {

struct DiagnosisOptions {
  std::vector<std::string> tuned = {};       ///< names of values, as meta steps tell them
  std::map<std::string, Range> ranges = {};  ///< of hyperparameters
  bool meta_steps = true;                    ///< else every step moves the learning rate
  bool proximal = false;                     ///< as in TunerTraits
};

/// Warns where a tuned value
///     at_bound     is at an end of its range, for 10 meta steps in a row
///     unmoved      has not moved by 1e-5 of itself in 50 meta steps, though no bound holds it
///     runs_away    is more than ten times, or less than a tenth of, what it was an epoch before,
///                  counted from the first epoch that ends at step 100 or later: a first rate has
///                  to be found before
/// and where
///     discrepancy  the proximal term J − h is more than half of the loss ℓ before the step, for 20
///                  meta steps in a row. At J's minimiser along a step, were J a parabola, the term
///                  is half of what the step gains at most, so at most ℓ / 2.
/// each once, and but for the first only while ℓ is above a hundredth of the untrained loss: where
/// all is learned, nothing asks for a rate. Of a tuner without meta steps ten steps count as one,
/// and only what is exactly the same has not moved: it may move as little as it likes.
class Diagnosis : public Observer {
 public:
  Diagnosis(DiagnosisOptions options, std::function<void(const WarningRecord&)> tell);

  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;

  void visit_state(StateVisitor& visitor);

 private:
  /// A tuned value.
  struct Watched {
    std::string name;
    Range range;
    double value = 0;
    double anchor = 0;         ///< what it was when it last moved
    int64_t at_bound = 0;      ///< in a row
    int64_t unmoved = 0;       ///< in a row
    double an_epoch_ago = -1;  ///< below 0: not known
  };

  void see(Watched& watched, double value, int64_t step);
  bool is_learned() const;
  void see_proximal(const StepRecord& record);
  void visit_all(StateVisitor& visitor);

  DiagnosisOptions options_;
  std::function<void(const WarningRecord&)> tell_;
  std::vector<Watched> watched_;
  int64_t meta_step_ = -1;  ///< the last one with a proximal term
  double proximal_ = 0;
  double untrained_loss_ = 0;
  double loss_ = 0;        ///< of the last step
  int64_t dominated_ = 0;  ///< in a row
  int64_t skipped_ = 0;
  std::set<std::string> told_;
};

}  // namespace apo
