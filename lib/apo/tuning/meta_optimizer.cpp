#include "apo/tuning/meta_optimizer.h"

#include <ATen/ops/where.h>

namespace apo {
namespace {

struct CorrectedRmspropOptions : RmspropOptions {
  CorrectedRmspropOptions() { bias_correction = true; }
};

std::unique_ptr<UpdateRule> make_corrected_rmsprop(const CorrectedRmspropOptions& options,
                                                   const RuleSetting& setting) {
  return make_rmsprop(options, setting);
}

UpdateRuleRegistry with_rmsprop(UpdateRuleRegistry::value_type rmsprop) {
  return {std::move(rmsprop),
          member("sgd", "stochastic gradient descent (Algorithm 1)", make_sgd),
          member("sgdm", "SGD with Nesterov momentum", make_sgdm),
          member("adam", "Adam", make_adam)};
}

/// xi ← before, where `condition` holds. Of statistics without curvature.
void keep_where(const Tensor& condition, const Statistics& before, Statistics& xi) {
  const auto choose = [&condition](const Tensor& old, Tensor& now) {
    now.copy_(at::where(condition, old, now));
  };
  choose(before.updates, xi.updates);
  for (size_t s = 0; s < xi.slots.size(); ++s) {
    for (size_t k = 0; k < xi.slots[s].size(); ++k) choose(before.slots[s][k], xi.slots[s][k]);
  }
}

}  // namespace

const UpdateRuleRegistry& meta_rules() {
  static const UpdateRuleRegistry registry =
      with_rmsprop(member("rmsprop", "RMSprop, bias-corrected", make_corrected_rmsprop));
  return registry;
}

const UpdateRuleRegistry& paper_meta_rules() {
  static const UpdateRuleRegistry registry =
      with_rmsprop(member("rmsprop", "RMSprop, as in the paper", make_rmsprop));
  return registry;
}

void MetaOptimizer::step(Hyperparameters& phi, const TensorList& gradient, const Tensor& skipped) {
  TensorList stored;
  for (const size_t h : phi.tuned()) stored.push_back(phi.stored(h));
  if (!phi_) phi_.emplace(rule_->hyperparameters(), stored.size(), skipped.device());
  if (!xi_.updates.defined()) xi_ = rule_->initial_statistics(stored);
  const Statistics before = clone(xi_);
  rule_->observe(gradient, xi_);
  const TensorList next = rule_->propose({stored, gradient, xi_}, phi_->values());
  for (size_t k = 0; k < next.size(); ++k) {
    phi.move(phi.tuned()[k], at::where(skipped, stored[k], next[k]));
  }
  keep_where(skipped, before, xi_);
}

}  // namespace apo
