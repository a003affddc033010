#include <ATen/TensorOperators.h>

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
      : ElementwiseRule(1, setting), momentum_(options.momentum) {}

  std::vector<HyperparameterSpec> hyperparameters() const override { return {learning_rate()}; }
  double momentum_gain() const override { return 1 / (1 - momentum_); }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& xi) const override {
    gather(xi[0], g, momentum_);
  }

  Tensor formula(const Tensor& theta,
                 const Tensor& g,
                 Slots xi,
                 Slots phi,
                 const Corrections&,
                 Momentum momentum) const override {
    if (momentum == Momentum::ignore) return theta - phi[0] * g;
    return theta - phi[0] * g.add(xi[0], momentum_);
  }

  std::optional<ElementwiseStep> as_data(
      const Tensor& g, Slots xi, Slots phi, const Corrections&, Momentum momentum) const override {
    if (momentum == Momentum::ignore) return ElementwiseStep{.direction = g, .rate = phi[0]};
    return ElementwiseStep{.kind = StepKind::nesterov,
                           .direction = g,
                           .other = xi[0],
                           .rate = phi[0],
                           .momentum = momentum_};
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
