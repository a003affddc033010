#include <ATen/TensorOperators.h>

#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Stochastic gradient descent.
///     θ′ = θ − η g
/// φ: η learning_rate.
class Sgd : public ElementwiseRule {
 public:
  explicit Sgd(const RuleSetting& setting) : ElementwiseRule(0, setting) {}

  std::vector<HyperparameterSpec> hyperparameters() const override { return {learning_rate()}; }

 protected:
  Tensor formula(const Tensor& theta,
                 const Tensor& g,
                 Slots,
                 Slots phi,
                 const Corrections&,
                 Momentum) const override {
    return theta - phi[0] * g;
  }

  std::optional<ElementwiseStep> as_data(
      const Tensor& g, Slots, Slots phi, const Corrections&, Momentum) const override {
    return ElementwiseStep{.direction = g, .rate = phi[0]};
  }
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(const NoOptions&, const RuleSetting& setting) {
  return std::make_unique<Sgd>(setting);
}

}  // namespace apo
