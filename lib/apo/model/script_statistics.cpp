#include "apo/model/script_statistics.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

namespace apo {
namespace {

/// Undefined where there is no such attribute, or it is none.
Tensor tensor_of(const torch::jit::Module& module, const char* name) {
  if (!module.hasattr(name)) return {};
  const c10::IValue value = module.attr(name);
  return value.isTensor() ? value.toTensor() : Tensor();
}

bool is_training(const torch::jit::Module& module) {
  return !module.hasattr("training") || module.attr("training").toBool();
}

}  // namespace

void set_training(const torch::jit::Module& module, bool on) {
  const auto slot = module.type()->findAttributeSlot("training");
  if (slot) module._ivalue()->setSlot(*slot, on);
}

ScriptStatistics::ScriptStatistics(const torch::jit::Module& script) {
  for (const torch::jit::Module& module : script.modules()) {
    Norm norm{tensor_of(module, "running_mean"),
              tensor_of(module, "running_var"),
              tensor_of(module, "num_batches_tracked")};
    const bool keeps = norm.mean.defined() && norm.variance.defined();
    if (!keeps) set_training(module, false);
    if (!keeps || !is_training(module)) continue;
    norm.mean_before = norm.mean.clone();
    norm.variance_before = norm.variance.clone();
    norm.mean_sum = at::zeros_like(norm.mean);
    norm.variance_sum = at::zeros_like(norm.variance);
    norms_.push_back(std::move(norm));
  }
}

Tensor ScriptStatistics::noted(const std::function<Tensor()>& forward) {
  const at::NoGradGuard no_grad;
  for (Norm& norm : norms_) {
    norm.mean.zero_();
    norm.variance.zero_();
    if (norm.count.defined()) norm.count.zero_();  // a mean of all batches weighs by it
  }
  Tensor z = forward();
  for (Norm& norm : norms_) {
    norm.mean_sum += norm.mean;
    norm.variance_sum += norm.variance;
  }
  if (++passes_ > 1) return z;
  forward();
  for (Norm& norm : norms_) {
    norm.momentum = 2 - to_double(norm.variance.sum(at::kDouble)) /
                            to_double(norm.variance_sum.sum(at::kDouble));
  }
  return z;
}

void ScriptStatistics::finish() const {
  const at::NoGradGuard no_grad;
  for (const Norm& norm : norms_) {
    const bool known = norm.momentum > 0;  // not NaN, of zeros
    const double scale = known ? 1 / (norm.momentum * static_cast<double>(passes_)) : 1;
    norm.mean.copy_(known ? norm.mean_sum * scale : norm.mean_before);
    norm.variance.copy_(known ? norm.variance_sum * scale : norm.variance_before);
    if (norm.count.defined()) norm.count.fill_(passes_);
  }
}

}  // namespace apo
