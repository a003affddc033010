#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// RMSprop as a function of its hyperparameters.
///     s ← γ s + (1 − γ) g²
///     θ′ = θ − η g / (s^ρ + ε);  with bias correction s / (1 − γᵗ) takes the place of s
/// φ: η learning_rate, ρ power, ε epsilon.
/// Source: APO paper, Eq. 20–21.  Differs from torch::optim::RMSprop: ρ is free and there is a bias
/// correction; equal to it otherwise.  The derivative in ρ is 0 where s = 0.
class Rmsprop : public ElementwiseRule {
 public:
  Rmsprop(const RmspropOptions& options, const RuleSetting& setting)
      : ElementwiseRule(1, setting), options_(options) {}

  std::vector<HyperparameterSpec> hyperparameters() const override {
    return {learning_rate(),
            {"power", Transform::exponent, options_.power, Range::between(0, 1)},
            {"epsilon", Transform::log, options_.epsilon, Range::above(0)}};
  }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& slots) const override {
    backend_on(g).average_squares(slots[0], g, options_.decay);
  }

  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    const bool corrected = options_.bias_correction;
    return {.direction = from.g,
            .square = from.xi.slots[0],
            .rate = phi[0],
            .power = phi[1],
            .epsilon = phi[2],
            .square_correction =
                corrected ? bias_correction(options_.decay, from.xi.updates) : Tensor()};
  }

 private:
  RmspropOptions options_;
};

}  // namespace

void RmspropOptions::visit(OptionVisitor& visitor) {
  visitor.real("decay", decay, Range::half_open(0, 1), "γ, decay of the mean square");
  visitor.real("power", power, Range::between(0, 1), "ρ, power of the mean square");
  visitor.real("epsilon", epsilon, Range::above(0), "ε, added to the denominator");
  visitor.flag("bias_correction", bias_correction, "divide the mean square by 1 − γᵗ");
}

std::unique_ptr<UpdateRule> make_rmsprop(const RmspropOptions& options,
                                         const RuleSetting& setting) {
  return std::make_unique<Rmsprop>(options, setting);
}

}  // namespace apo
