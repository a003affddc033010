#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <array>

#include "apo/objective/quadratic.h"
#include "apo/tuning/apo_parts.h"

namespace apo {
namespace {

/// A meta step multiplies or divides a rate by this much at most.
constexpr double kLargestRise = 1.4;
constexpr double kLargestFall = 2;
/// What an untrained network says of long steps is not true, and the velocity that will be there is
/// not yet: the first rate is this share of the first minimiser, to which it rises in the early
/// steps.
constexpr double kFirstShare = 1e-3;
/// The descent on x̃ is taken for at least this share of the own one: where a few batches say that
/// there is none the rates must not die.
constexpr double kLeastShare = 0.1;
/// Of the minimiser of one rate for all: BatchNorm's first layers often have one of 0 at the start.
constexpr double kLeastOfAll = 1e-3;
/// Of a meta step, over the rates of all layers: they go on from where the last one has come.
constexpr int kSweeps = 4;

/// Amortized Proximal Optimization without a meta-optimizer: J's minimiser along the step, in
/// closed form.
///     J(η) ≈ J(0) − aᵀη + ½ ηᵀ M η,  M = H + λ K
///     η ← argmin_{η ≥ 0} −ā_*ᵀη + ½ ηᵀ M̄ η
/// where a bar is a running mean over meta steps: of the minimisers of many steps the ratio of
/// means is the one for all of them. a_* is a, the descent of the batch that made the step; b, that
/// of x̃; or, geometric, √(ā b̄): a holds the batch's own noise, tr Σ / B, which no other batch
/// rewards, and b alone is greedy (Wu et al. 2018). Source: the minimiser of APO paper, Eq. 11, to
/// second order (objective/quadratic.h). Differs: rates, where none is given, begin at a thousandth
/// of the first minimiser, rise by 1.4 at most and fall by 2; the first 25 steps have a meta step
/// each; b̄ counts as ā / 10 at least; a layer's rate is a thousandth of the minimiser of one rate
/// for all at least; terms that are not finite change nothing.
class ExactApo : public Tuner {
 public:
  explicit ExactApo(const ApoOptions& options)
      : Tuner(traits_of(options)),
        options_(options),
        discrepancy_(ChoiceOf<Discrepancy>(discrepancies(), options.discrepancy).make()),
        objective_(objective_of(options)) {}

  void check(const Problem& problem) const override { check_discrepancy(options_, problem); }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    if (!is_due(context.step)) return {};
    if (!steps_.defined()) begin(phi);
    return {.meta =
                meta_step_(context.recorder, next_inputs(context), [&](const MetaInputs& inputs) {
                  return take_meta_step(context, inputs, phi);
                })};
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.tensor("steps", steps_);
    for (const auto& [name, mean] : means()) visitor.tensor(name, *mean);
    if (visitor.restores()) meta_step_.forget();
  }

 private:
  std::array<std::pair<const char*, Tensor*>, 4> means() {
    return {{{"descent", &mean_.descent},
             {"held_out", &mean_.held_out},
             {"curvature", &mean_.curvature},
             {"proximal", &mean_.proximal}}};
  }

  void begin(const Hyperparameters& phi) {
    const Tensor& eta = phi.value(phi.index("learning_rate"));
    const int64_t groups = phi.groups();
    steps_ = at::zeros({}, eta.options());
    mean_.descent = at::zeros({groups}, eta.options());
    mean_.held_out = at::zeros({groups}, eta.options());
    mean_.curvature = at::zeros({groups, groups}, eta.options());
    mean_.proximal = at::zeros({groups, groups}, eta.options());
  }

  Packed<MetaTerms> take_meta_step(const StepContext& context,
                                   const MetaInputs& inputs,
                                   Hyperparameters& phi) {
    const at::NoGradGuard no_grad;
    const Batch x_tilde = seen_of(inputs.x_tilde, traits());
    const PendingStep pending{
        context.problem, context.rule, inputs.g, context.xi, inputs.x, x_tilde};
    const QuadraticTerms terms = quadratic_terms(pending, *discrepancy_, objective_, phi);
    const Tensor finite = are_finite(terms);
    Packed<MetaTerms> told(seen_at(terms, phi, inputs.loss, finite));
    average(terms, finite);
    const size_t eta = phi.index("learning_rate");
    const Tensor rate = next_rate(context, phi.value(eta));
    phi.move(eta, at::where(finite, rate.log(), phi.stored(eta)));
    return told;
  }

  static Tensor are_finite(const QuadraticTerms& terms) {
    const Tensor sum =
        terms.descent.sum() + terms.held_out.sum() + terms.curvature.sum() + terms.proximal.sum();
    return is_finite(sum);
  }

  /// m̄ ← m̄ + w (m − m̄), of the n-th: w = max(1 − memory, 2 / (n + 1)), so that what the untrained
  /// network said is soon forgotten.
  void average(const QuadraticTerms& terms, const Tensor& finite) {
    steps_.add_(finite);
    const Tensor weight = (2 / (steps_ + 1)).clamp(1 - options_.memory, 1);
    move_mean(mean_.descent, terms.descent, weight, finite);
    move_mean(mean_.held_out, terms.held_out, weight, finite);
    move_mean(mean_.curvature, terms.curvature, weight, finite);
    move_mean(mean_.proximal, terms.proximal, weight, finite);
  }

  Tensor descent() const {
    Tensor own = mean_.descent.clamp_min(0);
    Tensor held_out = mean_.held_out.maximum(kLeastShare * own);
    switch (options_.descent) {
      case ApoOptions::Descent::own:
        return own;
      case ApoOptions::Descent::held_out:
        return held_out;
      case ApoOptions::Descent::geometric:
        break;
    }
    return (own * held_out).sqrt();
  }

  /// No layer's so small that it could not come back from there. `eta` where the terms have none.
  Tensor minimiser(const Tensor& eta) const {
    const Tensor a = descent();
    const Tensor m = mean_.curvature + mean_.proximal;
    Tensor best = eta.numel() == 1 ? a / m.view({1}) : nonnegative_minimiser(a, m, eta, kSweeps);
    best = at::where(is_finite(best), best, eta);
    const Tensor of_all = a.sum() / m.sum();
    const Tensor least = at::where(is_finite(of_all), kLeastOfAll * of_all, 0.0);
    return best.maximum(least).clamp_min(kSmallest);
  }

  /// Within a factor of the rates that there are: along a step that makes nothing better they
  /// halve. Where there are none, a share of the first minimiser.
  Tensor next_rate(const StepContext& context, const Tensor& eta) const {
    const Tensor best = minimiser(eta);
    const Tensor near = best.maximum(eta / kLargestFall).minimum(eta * kLargestRise);
    if (!context.auto_learning_rate) return near;
    return at::where(steps_.le(1), best * kFirstShare * context.first_rate_scale, near);
  }

  /// The model of this batch alone, at the rates that there were.
  MetaTerms<Tensor> seen_at(const QuadraticTerms& terms,
                            const Hyperparameters& phi,
                            const Tensor& loss,
                            const Tensor& finite) const {
    const Tensor eta = phi.value(phi.index("learning_rate")).clone();
    const auto form = [&](const Tensor& matrix) {
      return (eta * at::matmul(matrix, eta)).sum() / 2;
    };
    Tensor h = form(terms.curvature) - (terms.descent * eta).sum();
    if (options_.loss_term == LossTerm::loss) h = h + loss.to(at::kDouble);
    const Tensor slope = at::matmul(terms.curvature + terms.proximal, eta) - terms.descent;
    return {.objective = h + form(terms.proximal),
            .loss_term = h,
            .discrepancy = form(terms.discrepancy),
            .skipped = finite.bitwise_not(),
            .gradient = {eta * slope}};
  }

  static constexpr double kSmallest = 1e-30;

  ApoOptions options_;
  std::unique_ptr<Discrepancy> discrepancy_;
  ProximalOptions objective_;
  Tensor steps_;         ///< meta steps averaged
  QuadraticTerms mean_;  ///< running means; of the discrepancy none
  Replayed<MetaInputs, Packed<MetaTerms>> meta_step_;
};

}  // namespace

std::unique_ptr<Tuner> make_exact_apo(const ApoOptions& options) {
  return std::make_unique<ExactApo>(options);
}

}  // namespace apo
