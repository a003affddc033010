#include "apo/tuning/meta_optimizer.h"

#include <ATen/ops/where.h>

#include <algorithm>

namespace apo {
namespace {

struct CorrectedRmspropOptions : RmspropOptions {
  CorrectedRmspropOptions() { bias_correction = true; }
};

std::unique_ptr<UpdateRule> make_corrected_rmsprop(const CorrectedRmspropOptions& options,
                                                   const RuleSetting& setting) {
  return make_rmsprop(options, setting);
}

/// Whether a rule takes hyperparameters for its parameters: they have no layers and no Hessian.
bool takes_hyperparameters(const UpdateRule& rule) {
  const std::vector<HyperparameterSpec> specs = rule.hyperparameters();
  const auto has_shape = [](const HyperparameterSpec& spec) { return spec.shape != nullptr; };
  return !rule.traits().needs_curvature && std::none_of(specs.begin(), specs.end(), has_shape);
}

/// Those of the update rules that look at gradients alone.
UpdateRuleRegistry rules_of_gradients() {
  UpdateRuleRegistry rules;
  for (const auto& rule : update_rules()) {
    if (takes_hyperparameters(*rule.recipe()->make(RuleSetting{}))) rules.push_back(rule);
  }
  return rules;
}

UpdateRuleRegistry with_corrected_rmsprop(UpdateRuleRegistry rules) {
  for (auto& rule : rules) {
    if (rule.name == "rmsprop") rule = member(rule.name, rule.help, make_corrected_rmsprop);
  }
  return rules;
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
  static const UpdateRuleRegistry registry = with_corrected_rmsprop(rules_of_gradients());
  return registry;
}

const UpdateRuleRegistry& paper_meta_rules() {
  static const UpdateRuleRegistry registry = rules_of_gradients();
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
