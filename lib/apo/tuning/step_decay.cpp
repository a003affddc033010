#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// η_t = η₀ · factorᵏ, where k counts the milestones, or the multiples of `every`, that have been
/// reached. A factor is applied to the rate that there is, which a rollback may have lowered.
class StepDecay : public Tuner {
 public:
  explicit StepDecay(const StepDecayOptions& options)
      : Tuner({.bounds = options.bounds.by_name()}), options_(options) {}

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    const size_t eta = phi.index("learning_rate");
    const bool in_epochs = options_.unit == StepDecayOptions::Unit::epochs;
    const int64_t now =
        in_epochs ? context.step / context.problem.batches->steps_per_pass() : context.step;
    const int64_t decays = reached(now);
    if (decays != decays_) {
      const auto further = static_cast<double>(decays - decays_);
      decays_ = decays;
      const Range& range = phi.specs()[eta].range;
      const Tensor next = phi.value(eta) * std::pow(options_.factor, further);
      phi.set(eta, next.clamp(range.lower, range.upper));
    }
    return {};
  }

  void visit_state(StateVisitor& visitor) override { visitor.integer("decays", decays_); }

 private:
  int64_t reached(int64_t now) const {
    if (options_.every > 0) return now / options_.every;
    return std::count_if(options_.milestones.begin(), options_.milestones.end(), [now](int64_t m) {
      return m <= now;
    });
  }

  StepDecayOptions options_;
  int64_t decays_ = 0;
};

}  // namespace

void StepDecayOptions::visit(OptionVisitor& visitor) {
  visitor.real("factor", factor, Range::above(0), "what the learning rate is multiplied by");
  visitor.integer(
      "every", every, Range::at_least(0), "decay at every multiple of this; 0: milestones");
  visitor.integers("milestones", milestones, Range::at_least(1), "when to decay");
  visitor.one_of("unit",
                 unit,
                 {{"epochs", Unit::epochs}, {"steps", Unit::steps}},
                 "what `every` and `milestones` count");
  visitor.require((every > 0) != !milestones.empty(),
                  "every",
                  "give either 'every' or 'milestones', one of the two");
  bounds.visit(visitor);
}

std::unique_ptr<Tuner> make_step_decay(const StepDecayOptions& options) {
  return std::make_unique<StepDecay>(options);
}

}  // namespace apo
