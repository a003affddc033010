#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_lerp.h>

#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Adam, and AdamW with decoupled weight decay w.
///     m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²
///     m̂ = m / (1 − β₁ᵗ);  v̂ = v / (1 − β₂ᵗ)
///     θ′ = θ (1 − η w) − η m̂ / (√v̂ + ε);  momentum ignored: g in place of m̂
/// φ: η learning_rate, ε epsilon.  m̂ is a mean of gradients, not their sum: it adds no momentum
/// gain. Source: APO paper, Eq. 22–26; AdamW: Loshchilov & Hutter.  Equals torch::optim::Adam and
/// AdamW.
class Adam : public ElementwiseRule {
 public:
  Adam(const AdamOptions& options, const RuleSetting& setting)
      : ElementwiseRule(
            2, {setting.learning_rate, options.decoupled_weight_decay ? 0 : setting.weight_decay}),
        options_(options),
        decoupled_decay_(options.decoupled_weight_decay ? setting.weight_decay : 0) {}

  std::vector<HyperparameterSpec> hyperparameters() const override {
    return {learning_rate(), {"epsilon", Transform::log, options_.epsilon, Range::above(0)}};
  }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& xi) const override {
    at::_foreach_lerp_(xi[0], g, 1 - options_.beta1);
    average_squares(xi[1], g, options_.beta2);
  }

  Corrections corrections(const Tensor& t) const override {
    return {bias_correction(options_.beta1, t), bias_correction(options_.beta2, t)};
  }

  Tensor formula(const Tensor& theta,
                 const Tensor& g,
                 Slots xi,
                 Slots phi,
                 const Corrections& corrections,
                 Momentum momentum) const override {
    const Tensor direction = momentum == Momentum::ignore ? g : xi[0] / corrections.mean;
    const Tensor ratio = direction / ((xi[1] / corrections.square).sqrt() + phi[1]);
    if (decoupled_decay_ == 0) return theta - phi[0] * ratio;
    return theta - phi[0] * ratio.add(theta, decoupled_decay_);
  }

  std::optional<ElementwiseStep> as_data(const Tensor& g,
                                         Slots xi,
                                         Slots phi,
                                         const Corrections& corrections,
                                         Momentum momentum) const override {
    ElementwiseStep step{.kind = StepKind::adaptive,
                         .direction = g,
                         .other = xi[1],
                         .rate = phi[0],
                         .epsilon = phi[1],
                         .square_correction = corrections.square,
                         .decay = decoupled_decay_};
    if (momentum == Momentum::ignore) return step;
    step.direction = xi[0];
    step.mean_correction = corrections.mean;
    return step;
  }

 private:
  AdamOptions options_;
  double decoupled_decay_;
};

}  // namespace

void AdamOptions::visit(OptionVisitor& visitor) {
  visitor.real("beta1", beta1, Range::half_open(0, 1), "β₁, decay of the mean gradient");
  visitor.real("beta2", beta2, Range::half_open(0, 1), "β₂, decay of the mean square");
  visitor.real("epsilon", epsilon, Range::above(0), "ε, added to the denominator");
  visitor.flag("decoupled_weight_decay", decoupled_weight_decay, "AdamW: decay beside the step");
}

std::unique_ptr<UpdateRule> make_adam(const AdamOptions& options, const RuleSetting& setting) {
  return std::make_unique<Adam>(options, setting);
}

}  // namespace apo
