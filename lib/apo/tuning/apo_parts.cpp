#include "apo/tuning/apo_parts.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>

#include "apo/base/error.h"
#include "apo/base/text.h"

namespace apo {
namespace {

/// A lean meta step sees one in so many of the examples.
constexpr int64_t kLeanShare = 4;
/// Of the exact solver, whose running means see many of them: x̃ has half of the batch's examples.
constexpr int64_t kExactShare = 2;
/// Of the exact solver, whose rate rises in them: each has a meta step.
constexpr int64_t kExactEarlySteps = 25;

}  // namespace

MetaInputs next_inputs(const StepContext& context) {
  return {context.x, context.problem.discrepancy_batches->next(), context.loss, context.g};
}

/// ∞ − ∞ is NaN. LibTorch's isfinite does not work on the meta device, which the tests train on.
Tensor is_finite(const Tensor& x) {
  return x.sub(x).eq(0);
}

void move_mean(Tensor& mean, const Tensor& now, const Tensor& weight, const Tensor& finite) {
  mean.copy_(at::where(finite, mean + weight * (now - mean), mean));
}

TunerTraits traits_of(const ApoOptions& options) {
  const bool exact = options.solver == ApoOptions::Solver::exact;
  TunerTraits traits{.tuned = options.tune,
                     .per_layer = options.scope == ApoOptions::Scope::per_layer,
                     .interval = options.interval,
                     .early_steps = exact ? kExactEarlySteps : 0,
                     .discrepancy_batch_size = options.discrepancy_batch_size,
                     .discrepancy_share = exact ? kExactShare : 1,
                     .share = options.lean ? kLeanShare : 1,
                     .finds_first_rate = true,
                     .auto_by_default = exact,
                     .proximal = true,
                     .freeze_after = options.freeze_after,
                     .remedy = "a larger tuner.lambda"};
  for (const auto& [name, range] : options.bounds) {
    if (range) traits.bounds[name] = *range;
  }
  return traits;
}

ProximalOptions objective_of(const ApoOptions& options) {
  return {.lambda = options.lambda,
          .weight_lambda = options.weight_lambda,
          .loss_term = options.loss_term,
          .momentum = options.through_momentum ? Momentum::apply : Momentum::ignore};
}

void check_discrepancy(const ApoOptions& options, const Problem& problem) {
  const auto needs_classes = [](const std::string& name) {
    return ChoiceOf<Discrepancy>(discrepancies(), name).make()->needs_classes();
  };
  if (problem.loss->has_classes() || !needs_classes(options.discrepancy)) return;
  std::vector<std::string> accepted;
  for (const auto& member : discrepancies()) {
    if (!needs_classes(member.name)) accepted.push_back(member.name);
  }
  throw Error(ErrorKind::config,
              "tuner.discrepancy = " + options.discrepancy +
                  ": the problem is a regression, whose outputs are no log-probabilities; "
                  "accepted: " +
                  list_or(accepted));
}

Batch seen_of(const Batch& batch, const TunerTraits& traits) {
  if (traits.share == 1 || !batch.inputs.defined()) return batch;
  const auto some_of = [&](int64_t count) { return (count - 1) / traits.share + 1; };
  const int64_t count = some_of(batch.inputs.size(0));
  Batch seen = batch.mapped([&](const Tensor& t) { return t.narrow(0, 0, count); });
  if (seen.of > 0) seen.of = some_of(seen.of);
  return seen;
}

std::unique_ptr<Tuner> make_apo(const ApoOptions& options) {
  const bool exact = options.solver == ApoOptions::Solver::exact;
  return frozen_after(options.freeze_after,
                      exact ? make_exact_apo(options) : make_gradient_apo(options));
}

}  // namespace apo
