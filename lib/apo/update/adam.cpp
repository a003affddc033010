#include <ATen/ops/_foreach_lerp.h>

#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Adam; with decoupled weight decay AdamW.
///     m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²
///     m̂ = m / (1 − β₁ᵗ);  v̂ = v / (1 − β₂ᵗ)
///     θ′ = θ − η m̂ / (√v̂ + ε);  momentum ignored: g in place of m̂
/// φ: η learning_rate, ε epsilon.  m̂ is a mean of gradients, not their sum: it adds no momentum
/// gain. Source: APO paper, Eq. 22–26; AdamW: Loshchilov & Hutter 2019.  Equals torch::optim::Adam
/// and AdamW.
class Adam : public ElementwiseRule {
 public:
  Adam(const AdamOptions& options,
       const RuleSetting& setting,
       WeightDecay weight_decay_form = WeightDecay::coupled)
      : ElementwiseRule(2,
                        setting,
                        {.recordable = true,
                         .momentum = options.beta1,
                         .weight_decay_form = weight_decay_form}),
        options_(options) {}

  std::vector<HyperparameterSpec> hyperparameters() const override {
    return {learning_rate(), {"epsilon", Transform::log, options_.epsilon, Range::above(0)}};
  }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& slots) const override {
    at::_foreach_lerp_(slots[0], g, 1 - options_.beta1);
    backend_on(g).average_squares(slots[1], g, options_.beta2);
  }

  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    const Tensor& t = from.xi.updates;
    ElementwiseStep step{.direction = from.g,
                         .square = from.xi.slots[1],
                         .rate = phi[0],
                         .epsilon = phi[1],
                         .square_correction = bias_correction(options_.beta2, t)};
    if (from.momentum == Momentum::ignore) return step;
    step.direction = from.xi.slots[0];
    step.direction_correction = bias_correction(options_.beta1, t);
    return step;
  }

  double beta1() const { return options_.beta1; }

 private:
  AdamOptions options_;
};

/// NadamW: Adam whose mean looks a step ahead, as Nesterov's momentum does.
///     m̂ = (β₁ m + (1 − β₁) g) / (1 − β₁ᵗ)
/// Weights decay beside the step where nothing is said.
/// Source: Dozat 2016, without its schedule of β₁, as in Choi et al. 2019 and the baselines of Dahl
/// et al. 2023.  Differs from torch.optim.NAdam, which has that schedule.
class Nadamw : public Adam {
 public:
  Nadamw(const AdamOptions& options, const RuleSetting& setting)
      : Adam(options, setting, WeightDecay::decoupled) {}

 protected:
  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    ElementwiseStep step = Adam::formula(from, phi);
    if (from.momentum == Momentum::ignore) return step;
    step.direction = at::_foreach_lerp(step.direction, from.g, 1 - beta1());
    return step;
  }
};

}  // namespace

void AdamOptions::visit(OptionVisitor& visitor) {
  visitor.real("beta1", beta1, Range::half_open(0, 1), "β₁, decay of the mean gradient");
  visitor.real("beta2", beta2, Range::half_open(0, 1), "β₂, decay of the mean square");
  visitor.real("epsilon", epsilon, Range::above(0), "ε, added to the denominator");
}

std::unique_ptr<UpdateRule> make_adam(const AdamOptions& options, const RuleSetting& setting) {
  return std::make_unique<Adam>(options, setting);
}

std::unique_ptr<UpdateRule> make_nadamw(const AdamOptions& options, const RuleSetting& setting) {
  return std::make_unique<Nadamw>(options, setting);
}

}  // namespace apo
