#include "apo/tuning/meta_optimizer.h"

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

void MetaOptimizer::step(Hyperparameters& phi, const TensorList& gradient) {
  TensorList stored;
  for (const size_t h : phi.tuned()) stored.push_back(phi.stored(h));
  if (!phi_) phi_.emplace(rule_->hyperparameters(), stored.size());
  if (xi_.updates == 0) xi_ = rule_->initial_statistics(stored);
  rule_->observe(gradient, xi_);
  const TensorList next = rule_->propose(stored, gradient, xi_, phi_->values(), Momentum::apply);
  for (size_t k = 0; k < next.size(); ++k) phi.move(phi.tuned()[k], next[k]);
}

}  // namespace apo
