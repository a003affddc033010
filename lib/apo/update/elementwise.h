// Rules that treat each parameter alone and each of its elements alike: a recurrence and a formula.
#pragma once

#include <optional>
#include <span>

#include "apo/update/steps.h"
#include "apo/update/update_rule.h"

namespace apo {

/// Carries a per-parameter formula over the lists of UpdateRule.
class ElementwiseRule : public UpdateRule {
 public:
  /// setting.weight_decay: the w of g + w θ.
  ElementwiseRule(size_t slots, const RuleSetting& setting) : slots_(slots), setting_(setting) {}

  Statistics initial_statistics(const TensorList& theta) const override;
  TensorList decayed(const TensorList& theta, TensorList g) const override;
  void observe(const TensorList& g, Statistics& xi) const override;
  TensorList propose(const StepInputs& from, const HyperparameterValues& phi) const override;
  Proposal differentiable(const StepInputs& from, const Hyperparameters& phi) const override;
  void step(TensorList& theta,
            const TensorList& g,
            const Statistics& xi,
            const HyperparameterValues& phi) const override;
  bool is_recordable() const override { return true; }

 protected:
  /// One parameter's view of the lists: xi[s] in slot order, phi[h] in the order of
  /// hyperparameters().
  using Slots = std::span<const Tensor>;

  /// What means that began at zero are divided by, scalars; none: 1.
  struct Corrections {
    Tensor mean;
    Tensor square;
  };
  /// 1 − βᵗ: what a mean of decay β that began at zero has gathered after t of its summands. A
  /// scalar where t is.
  static Tensor bias_correction(double decay, const Tensor& t);

  /// η, the first hyperparameter of every rule.
  HyperparameterSpec learning_rate() const { return learning_rate_spec(setting_); }

  /// ξ ← statistics of all parameters updated with g, in place.
  virtual void accumulate(const TensorList& g, const std::vector<TensorList>& xi) const {
    (void)g;
    (void)xi;
  }
  /// After t ≥ 1 gradients.
  virtual Corrections corrections(const Tensor& t) const {
    (void)t;
    return {};
  }
  /// θ′ of one parameter.
  virtual Tensor formula(const Tensor& theta,
                         const Tensor& g,
                         Slots xi,
                         Slots phi,
                         const Corrections& corrections,
                         Momentum momentum) const = 0;
  /// The same formula as data; nothing where φ's values do not allow for it. φ are scalars.
  virtual std::optional<ElementwiseStep> as_data(const Tensor& g,
                                                 Slots xi,
                                                 Slots phi,
                                                 const Corrections& corrections,
                                                 Momentum momentum) const = 0;

 private:
  /// The steps of all parameters as data, where all can be taken so.
  std::optional<ElementwiseSteps> steps(const StepInputs& from,
                                        const HyperparameterValues& phi) const;
  TensorList by_formula(const StepInputs& from, const HyperparameterValues& phi) const;

  size_t slots_;
  RuleSetting setting_;
};

}  // namespace apo
