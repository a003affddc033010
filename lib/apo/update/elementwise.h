// Rules that treat each element of a parameter alike: what they remember, and a step as data.
#pragma once

#include "apo/update/steps.h"
#include "apo/update/update_rule.h"

namespace apo {

/// Makes a rule of what it remembers and of its step as data.
class ElementwiseRule : public UpdateRule {
 public:
  /// slots: lists of statistics, which begin at zero.
  ElementwiseRule(size_t slots,
                  const RuleSetting& setting,
                  RuleTraits traits = {.recordable = true})
      : UpdateRule(setting, std::move(traits)), slots_(slots) {}

  Statistics initial_statistics(const TensorList& theta) const override;
  void observe(const TensorList& g, Statistics& xi) const override;
  TensorList propose(const StepInputs& from, const HyperparameterValues& phi) const override;
  Proposal differentiable(const StepInputs& from, const Hyperparameters& phi) const override;
  TensorList rate_derivative(const StepInputs& from, const Hyperparameters& phi) const override;
  void step(TensorList& theta,
            const TensorList& g,
            const Statistics& xi,
            const HyperparameterValues& phi,
            const Tensor& schedule = {}) const override;

 protected:
  /// slots ← statistics updated with g, in place.
  virtual void accumulate(const TensorList& g, const std::vector<TensorList>& slots) const {
    (void)g;
    (void)slots;
  }
  /// θ′ after at least one gradient, without weight decay. A hyperparameter that enters as it is
  /// (`.rate = phi[0]`) is differentiated in the fewest passes, one that enters otherwise by a
  /// graph.
  virtual ElementwiseStep formula(const StepInputs& from,
                                  const HyperparameterValues& phi) const = 0;

  /// 1 − βᵗ: what a mean of decay β that began at zero has gathered after t of its summands. A
  /// scalar where t is.
  static Tensor bias_correction(double decay, const Tensor& t);

 private:
  /// The formula with what decays beside it.
  ElementwiseStep whole_step(const StepInputs& from, const HyperparameterValues& phi) const;

  size_t slots_;
};

}  // namespace apo
