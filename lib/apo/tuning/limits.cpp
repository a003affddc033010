// What holds a tuner back: bounds of the rate, and the share of the run in which it may move φ.
#include <algorithm>
#include <cmath>

#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// Asks a tuner until the run's share is over, and then nothing: φ stays, no meta step is taken and
/// no x̃ is drawn. A schedule's factor is the trainer's and goes on.
class FrozenAfter : public Tuner {
 public:
  FrozenAfter(double share, std::unique_ptr<Tuner> tuner)
      : Tuner(tuner->traits()), share_(share), tuner_(std::move(tuner)) {}

  void check(const Problem& problem) const override { tuner_->check(problem); }
  void prepare(const TunedRun& run) override { tuner_->prepare(run); }
  void rate_scaled(double factor) override { tuner_->rate_scaled(factor); }
  bool is_due(int64_t step) const override { return tuner_->is_due(step); }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    if (frozen_) return {};
    const double end = std::round(share_ * static_cast<double>(context.steps));
    if (static_cast<double>(context.step) < std::max(1.0, end)) {
      return tuner_->before_step(context, phi);
    }
    frozen_ = true;
    return {.froze = true};
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.flag("frozen", frozen_);
    tuner_->visit_state(visitor);
  }

 private:
  double share_;
  std::unique_ptr<Tuner> tuner_;
  bool frozen_ = false;
};

}  // namespace

void RateBounds::visit(OptionVisitor& visitor) {
  visitor.section("bounds", "where the learning rate stays", [this](OptionVisitor& each) {
    each.interval("learning_rate",
                  learning_rate,
                  Range::above(0),
                  "lower and upper bound of η, without its schedule");
  });
}

std::map<std::string, Range> RateBounds::by_name() const {
  if (!learning_rate) return {};
  return {{"learning_rate", *learning_rate}};
}

void visit_freeze_after(double& share, OptionVisitor& visitor) {
  visitor.real("freeze_after",
               share,
               {.lower = 0, .upper = 1, .lower_open = true},
               "share of the run after which the hyperparameters stay as they are, and meta steps "
               "end; 1: never");
}

std::unique_ptr<Tuner> frozen_after(double share, std::unique_ptr<Tuner> tuner) {
  if (share >= 1) return tuner;
  return std::make_unique<FrozenAfter>(share, std::move(tuner));
}

}  // namespace apo
