#include "apo/update/update_rule.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace apo {

Statistics clone(const Statistics& xi) {
  Statistics copy = xi;
  for (TensorList& slot : copy.slots) slot = clone(slot);
  for (KroneckerBlock& block : copy.blocks) {
    for (KroneckerFactor* factor : {&block.inputs, &block.output_gradients}) {
      for (Tensor* tensor : {&factor->moment, &factor->values, &factor->vectors}) {
        if (tensor->defined()) *tensor = tensor->clone();
      }
    }
  }
  return copy;
}

HyperparameterSpec learning_rate_spec(const RuleSetting& setting) {
  return {"learning_rate", Transform::log, setting.learning_rate, Range::above(0)};
}

TensorList with_coupled_decay(const TensorList& theta, TensorList g, double w) {
  if (w == 0) return g;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < g.size(); ++i) g[i] = g[i].add(theta[i], w);
  return g;
}

void step(const UpdateRule& rule,
          TensorList& theta,
          const TensorList& g,
          const Statistics& xi,
          const HyperparameterValues& phi) {
  const at::NoGradGuard no_grad;
  const TensorList next = rule.propose(theta, g, xi, phi, Momentum::apply);
  for (size_t i = 0; i < theta.size(); ++i) theta[i].set_data(next[i]);
}

}  // namespace apo
