#include <ATen/TensorOperators.h>

#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Whether ρ is known on the host to be ½.
bool is_square_root(const Tensor& power) {
  return power.is_cpu() && !power.requires_grad() && power.item<double>() == 0.5;
}

/// s^ρ; a square root costs a tenth.
Tensor raised(const Tensor& s, const Tensor& power) {
  return is_square_root(power) ? s.sqrt() : s.pow(power);
}

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
  void accumulate(const TensorList& g, const std::vector<TensorList>& xi) const override {
    average_squares(xi[0], g, options_.decay);
  }

  Corrections corrections(const Tensor& t) const override {
    if (!options_.bias_correction) return {};
    return {.mean = {}, .square = bias_correction(options_.decay, t)};
  }

  Tensor formula(const Tensor& theta,
                 const Tensor& g,
                 Slots xi,
                 Slots phi,
                 const Corrections& corrections,
                 Momentum) const override {
    const Tensor s = corrections.square.defined() ? xi[0] / corrections.square : xi[0];
    return theta - phi[0] * (g / (raised(s, phi[1]) + phi[2]));
  }

  std::optional<ElementwiseStep> as_data(const Tensor& g,
                                         Slots xi,
                                         Slots phi,
                                         const Corrections& corrections,
                                         Momentum) const override {
    if (!is_square_root(phi[1])) return std::nullopt;
    return ElementwiseStep{.kind = StepKind::adaptive,
                           .direction = g,
                           .other = xi[0],
                           .rate = phi[0],
                           .epsilon = phi[2],
                           .square_correction = corrections.square};
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
