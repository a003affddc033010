#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Stochastic gradient descent.
///     θ′ = θ − η g
/// φ: η learning_rate.
class Sgd : public ElementwiseRule {
 public:
  explicit Sgd(const RuleSetting& setting)
      : ElementwiseRule(0, setting, {.recordable = true, .sums_gradients = true}) {}

  std::vector<HyperparameterSpec> hyperparameters() const override { return {learning_rate()}; }

 protected:
  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    return {.direction = from.g, .rate = phi[0]};
  }
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(const NoOptions&, const RuleSetting& setting) {
  return std::make_unique<Sgd>(setting);
}

}  // namespace apo
