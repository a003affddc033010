// The meta-optimizer: an update rule applied to φ.
#pragma once

#include <memory>
#include <optional>

#include "apo/update/update_rule.h"

namespace apo {

/// The rules that can move hyperparameters: all that look at gradients alone. RMSprop corrects the
/// bias of its statistic here, so that no first step is ten times the meta learning rate.
const UpdateRuleRegistry& meta_rules();
/// The same with every default as in the paper: RMSprop without bias correction.
const UpdateRuleRegistry& paper_meta_rules();

/// φ ← meta-optimizer(φ, ∇_φ J), on the stored form of the tuned hyperparameters.
class MetaOptimizer {
 public:
  explicit MetaOptimizer(std::unique_ptr<UpdateRule> rule) : rule_(std::move(rule)) {}

  /// gradient: ∂J/∂(stored φ), one tensor per tuned hyperparameter, of its shape. Where `skipped`,
  /// a scalar, is true, neither φ nor what the rule remembers of gradients changes.
  void step(Hyperparameters& phi, const TensorList& gradient, const Tensor& skipped);

  void visit_state(StateVisitor& visitor) { apo::visit_state(xi_, visitor); }

 private:
  std::unique_ptr<UpdateRule> rule_;
  std::optional<Hyperparameters> phi_;  ///< the rule's own
  Statistics xi_;
};

}  // namespace apo
