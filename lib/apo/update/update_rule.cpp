#include "apo/update/update_rule.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <tuple>

#include "apo/base/dual_level.h"

namespace apo {

Statistics::Statistics(const TensorList& theta)
    : updates(at::zeros({}, theta.front().options().dtype(at::kDouble))),
      gradient_square(updates.clone()) {}

Statistics clone(const Statistics& xi) {
  Statistics copy = xi;
  copy.updates = xi.updates.clone();
  copy.gradient_square = xi.gradient_square.clone();
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

namespace {

void visit_factor(KroneckerFactor& factor, StateVisitor& visitor) {
  visitor.tensor("moment", factor.moment);
  visitor.tensor("values", factor.values);
  visitor.tensor("vectors", factor.vectors);
}

void visit_block(KroneckerBlock& block, StateVisitor& visitor) {
  auto weight = static_cast<int64_t>(block.weight);
  auto bias = static_cast<int64_t>(block.bias.value_or(0));
  bool has_bias = block.bias.has_value();
  visitor.integer("weight", weight);
  visitor.integer("bias", bias);
  visitor.flag("has_bias", has_bias);
  block.weight = static_cast<size_t>(weight);
  block.bias = has_bias ? std::optional(static_cast<size_t>(bias)) : std::nullopt;
  visitor.section("inputs", [&](StateVisitor& v) { visit_factor(block.inputs, v); });
  visitor.section("output_gradients",
                  [&](StateVisitor& v) { visit_factor(block.output_gradients, v); });
}

}  // namespace

void visit_state(Statistics& xi, StateVisitor& visitor) {
  visitor.tensor("updates", xi.updates);
  if (visitor.has("gradient_square")) visitor.tensor("gradient_square", xi.gradient_square);
  visitor.integer("curvature_steps", xi.curvature_steps);
  visitor.integer("curvature_updates", xi.curvature_updates);
  visitor.list("slot", xi.slots, [](TensorList& slot, StateVisitor& v) { v.tensors("at", slot); });
  visitor.list("block", xi.blocks, visit_block);
}

HyperparameterSpec UpdateRule::learning_rate() const {
  return {"learning_rate", Transform::log, setting_.learning_rate, Range::above(0)};
}

double UpdateRule::decay_in(WeightDecay form) const {
  const WeightDecay chosen = setting_.weight_decay_form;
  const WeightDecay taken = chosen == WeightDecay::automatic ? traits_.weight_decay_form : chosen;
  return form == taken ? setting_.weight_decay : 0;
}

TensorList with_coupled_decay(const TensorList& theta, TensorList g, double w) {
  if (w == 0) return g;
  const at::NoGradGuard no_grad;
  return at::_foreach_add(g, theta, w);
}

Proposal UpdateRule::differentiable(const StepInputs& from, const Hyperparameters& phi) const {
  TensorList leaves;
  for (const size_t h : phi.tuned()) leaves.push_back(phi.value(h).clone().requires_grad_());
  const TensorList next = propose(from, phi.values_with(phi.tuned(), leaves));
  return {detached(next),
          [next, leaves](const TensorList& v) { return torch::autograd::grad(next, leaves, v); }};
}

TensorList UpdateRule::rate_derivative(const StepInputs& from, const Hyperparameters& phi) const {
  const at::NoGradGuard no_grad;
  const DualLevel level;
  const size_t eta = phi.index("learning_rate");
  const Tensor& value = phi.value(eta);
  const Tensor dual = at::_make_dual(value, at::ones_like(value), level.index());
  const TensorList next = propose(from, phi.values_with({eta}, {dual}));
  TensorList derivative;
  derivative.reserve(next.size());
  for (const Tensor& each : next) {
    derivative.push_back(std::get<1>(at::_unpack_dual(each, level.index())));
  }
  return derivative;
}

void UpdateRule::step(TensorList& theta,
                      const TensorList& g,
                      const Statistics& xi,
                      const HyperparameterValues& phi,
                      const Tensor& schedule) const {
  const at::NoGradGuard no_grad;
  set_storage(theta, propose({theta, g, xi, Momentum::apply, schedule}, phi));
}

}  // namespace apo
