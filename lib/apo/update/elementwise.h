// Rules that treat each parameter alone and each of its elements alike: a recurrence and a formula.
#pragma once

#include <span>

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
  TensorList propose(const TensorList& theta,
                     const TensorList& g,
                     const Statistics& xi,
                     const HyperparameterValues& phi,
                     Momentum momentum) const override;

 protected:
  /// One parameter's view of the lists: xi[s] in slot order, phi[h] in the order of
  /// hyperparameters().
  using Slots = std::span<const Tensor>;

  /// η, the first hyperparameter of every rule.
  HyperparameterSpec learning_rate() const { return learning_rate_spec(setting_); }

  /// ξ ← statistics updated with g, in place.
  virtual void accumulate(const Tensor& g, Slots xi) const {
    (void)g;
    (void)xi;
  }
  /// θ′ of one parameter. t ≥ 1 counts the gradients observed.
  virtual Tensor formula(const Tensor& theta,
                         const Tensor& g,
                         Slots xi,
                         Slots phi,
                         int64_t t,
                         Momentum momentum) const = 0;

 private:
  size_t slots_;
  RuleSetting setting_;
};

}  // namespace apo
