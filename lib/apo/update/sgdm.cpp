#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Stochastic gradient descent with Nesterov momentum.
///     v ← μ v + g
///     θ′ = θ − η (g + μ v);  momentum ignored: θ′ = θ − η g
/// φ: η learning_rate.  Source: APO paper, Eq. 18–19.  Equals torch::optim::SGD with nesterov.
class Sgdm : public ElementwiseRule {
 public:
  Sgdm(const SgdmOptions& options, const RuleSetting& setting)
      : ElementwiseRule(
            1, setting, {.recordable = true, .momentum = options.momentum, .sums_gradients = true}),
        momentum_(options.momentum) {}

  std::vector<HyperparameterSpec> hyperparameters() const override { return {learning_rate()}; }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& slots) const override {
    backend_on(g).gather(slots[0], g, momentum_);
  }

  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    if (from.momentum == Momentum::ignore) return {.direction = from.g, .rate = phi[0]};
    return {
        .direction = from.g, .velocity = from.xi.slots[0], .rate = phi[0], .momentum = momentum_};
  }

 private:
  double momentum_;
};

}  // namespace

void SgdmOptions::visit(OptionVisitor& visitor) {
  visitor.real("momentum", momentum, Range::half_open(0, 1), "Nesterov momentum μ");
}

std::unique_ptr<UpdateRule> make_sgdm(const SgdmOptions& options, const RuleSetting& setting) {
  return std::make_unique<Sgdm>(options, setting);
}

}  // namespace apo
