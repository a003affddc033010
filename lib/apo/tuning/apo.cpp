#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "apo/tuning/apo_parts.h"
#include "apo/tuning/meta_optimizer.h"
#include "apo/tuning/rate_search.h"

namespace apo {
namespace {

/// A step that leaves the network this many times worse than it was untrained undoes the training.
constexpr double kUndone = 2;
/// A trial fails where the loss rises above this many times the untrained network's: room for the
/// differences between batches.
constexpr double kHarmed = 1.1;
/// Base steps of a trial, however rare the meta steps are.
constexpr int64_t kLongestTrial = 100;

Tensor in_float64(const Tensor& scalar) {
  return scalar.detach().to(at::kDouble);
}

/// Amortized Proximal Optimization: every K steps one gradient step of the meta-optimizer on J(φ),
/// with `tuner.solver: gradient`.
///     φ ← meta-optimizer(φ, ∇_φ J)
/// Source: APO paper, Eq. 11 and Algorithm 1.
/// Differs, unless form is `paper`, by two line searches on J. A first rate more than a factor ten
/// away from J's minimiser gives way to it. And where a step would undo the training, that is where
/// ℓ plus the rise of J exceeds twice the untrained network's loss ℓ₀, or is not finite, the rate
/// is searched anew and the meta-optimizer never sees the gradient.
class Apo : public Tuner {
 public:
  explicit Apo(const ApoOptions& options)
      : Tuner(traits_of(options)),
        options_(options),
        discrepancy_(ChoiceOf<Discrepancy>(discrepancies(), options.discrepancy).make()),
        objective_(objective_of(options)),
        meta_optimizer_(
            options.meta_optimizer.make({.learning_rate = options.meta_learning_rate})) {}

  void check(const Problem& problem) const override { check_discrepancy(options_, problem); }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    TunerReport report;
    if (!is_due(context.step)) return report;
    if (context.step == 0) {
      const std::optional<double> found = first_rate(context, phi);
      if (context.interrupted()) return report;
      if (found) begin_with(*found * context.first_rate_scale, phi, report);
    }
    if (!untrained_loss_.defined()) untrained_loss_ = untrained_loss(context);
    const MetaInputs now = next_inputs(context);
    const MetaStep step = meta_step_(context.recorder, now, [&](const MetaInputs& inputs) {
      return take_meta_step(context, inputs, phi);
    });
    report.meta = step.terms;
    if (searches() && to_double(step.skipped) != 0) {
      const double before = to_double(phi.mean(phi.index("learning_rate")));
      search_anew(context, now.x_tilde, phi);
      const double after = to_double(phi.mean(phi.index("learning_rate")));
      report.searches.push_back({context.step, before, after});
    }
    return report;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.tensor("untrained_loss", untrained_loss_);
    visitor.section("meta_optimizer", [this](StateVisitor& v) { meta_optimizer_.visit_state(v); });
    if (visitor.restores()) meta_step_.forget();
  }

 private:
  struct MetaStep {
    Packed<MetaTerms> terms;
    Tensor skipped;  ///< a truth value
  };

  /// J's minimiser on the first batch, unless a rate is given and near it, or the first below it
  /// with which the base steps until the next meta step, of which J sees but one, do no harm. With
  /// momentum the search is for the effective step η / (1 − μ), for one step does not show how much
  /// momentum will add. nullopt: φ's.
  std::optional<double> first_rate(const StepContext& context, const Hyperparameters& phi) const {
    const bool given = !context.auto_learning_rate;
    if (given && !searches()) return std::nullopt;
    Problem& problem = context.problem;
    const Batch x = enough_examples(problem, context.x);
    const Batch judge = has_enough_examples(context.x) ? Batch{} : x;
    const double untrained = judge.inputs.defined() ? loss_of(problem, x) : to_double(context.loss);
    const Batch x_tilde = enough_examples(problem, problem.discrepancy_batches->next());
    const PendingStep pending = pending_step(context, context.g, x, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const double gain = context.rule.traits().momentum_gain();
    const Tensor effective = phi.value(phi.index("learning_rate")) * gain;
    if (given && is_near_minimum(objective, phi, effective)) return std::nullopt;
    const int64_t steps = std::min(options_.interval, kLongestTrial);
    const double rate = to_double(search_all_rates(objective, phi, context.interrupted)[0]) / gain;
    return harmless_rate(rate, context, phi, steps, kHarmed * untrained, judge);
  }

  static void begin_with(double rate, Hyperparameters& phi, TunerReport& report) {
    const size_t eta = phi.index("learning_rate");
    report.searches.push_back({0, to_double(phi.mean(eta)), rate, /*first=*/true});
    phi.set(eta, rate);
  }

  /// Whether η may move at all: not where it is meant to stay.
  bool moves_rate() const {
    return options_.meta_learning_rate > 0 &&
           std::count(options_.tune.begin(), options_.tune.end(), "learning_rate") > 0;
  }
  /// Of a few examples only where a line search does not ask for more.
  Tensor untrained_loss(const StepContext& context) const {
    const Tensor loss = in_float64(context.loss);
    const bool enough = !searches() || has_enough_examples(context.x);
    if (enough) return loss.clone();
    return at::full_like(loss,
                         loss_of(context.problem, enough_examples(context.problem, context.x)));
  }

  /// Whether line searches may move it.
  bool searches() const { return options_.form == ApoOptions::Form::robust && moves_rate(); }

  Batch seen(const Batch& batch) const { return seen_of(batch, traits()); }

  static PendingStep pending_step(const StepContext& context,
                                  const TensorList& g,
                                  const Batch& x,
                                  const Batch& x_tilde) {
    return {context.problem, context.rule, g, context.xi, x, x_tilde};
  }

  /// φ ← meta-optimizer(φ, ∇_φ J). A step that is too large leaves φ to a line search or, in the
  /// paper's form, shrinks the rate: η ← η · exp(−meta rate).
  MetaStep take_meta_step(const StepContext& context,
                          const MetaInputs& inputs,
                          Hyperparameters& phi) {
    const Batch x = seen(inputs.x);
    const Batch x_tilde = seen(inputs.x_tilde);
    const PendingStep pending = pending_step(context, inputs.g, x, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const MetaGradient meta = objective.gradient(phi);
    const Tensor skipped = is_too_large(meta, in_float64(inputs.loss));
    meta_optimizer_.step(phi, meta.gradient, skipped);
    if (moves_rate() && !searches()) shrink_where(skipped, phi);

    MetaTerms<Tensor> terms{
        meta.terms.objective, meta.terms.loss_term, meta.terms.discrepancy, skipped};
    for (size_t k = 0; k < meta.gradient.size(); ++k) {
      if (phi.is_scalar(phi.tuned()[k])) terms.gradient.push_back(meta.gradient[k]);
    }
    return {Packed<MetaTerms>(terms), skipped};
  }

  /// Whether J or its gradient is not finite or the step would undo the training, a scalar.
  Tensor is_too_large(const MetaGradient& meta, const Tensor& loss) const {
    const Tensor objective = in_float64(meta.terms.objective);
    Tensor finite = is_finite(objective);
    for (const Tensor& gradient : meta.gradient) {
      finite = finite.bitwise_and(is_finite(gradient).all());
    }
    if (!searches()) return finite.bitwise_not();
    const Tensor unmoved =  // J of no step at all
        options_.loss_term == LossTerm::linear ? at::zeros_like(loss) : loss;
    const Tensor undone = (loss + objective - unmoved).gt(kUndone * untrained_loss_);
    return finite.bitwise_not().bitwise_or(undone);
  }

  void shrink_where(const Tensor& skipped, Hyperparameters& phi) const {
    const size_t eta = phi.index("learning_rate");
    const Tensor& stored = phi.stored(eta);
    phi.move(eta, at::where(skipped, stored - options_.meta_learning_rate, stored));
  }

  void search_anew(const StepContext& context, const Batch& x_tilde, Hyperparameters& phi) const {
    const Batch x_seen = enough_examples(context.problem, seen(context.x));
    const Batch x_tilde_seen = enough_examples(context.problem, seen(x_tilde));
    const PendingStep pending = pending_step(context, context.g, x_seen, x_tilde_seen);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const size_t eta = phi.index("learning_rate");
    const double gain = context.rule.traits().momentum_gain();
    const Tensor rates = search_multiples(objective, phi, phi.value(eta) * gain);
    phi.move(eta, (rates / gain).log());
  }

  ApoOptions options_;
  std::unique_ptr<Discrepancy> discrepancy_;
  ProximalOptions objective_;
  MetaOptimizer meta_optimizer_;
  Tensor untrained_loss_;
  Replayed<MetaInputs, MetaStep> meta_step_;
};

}  // namespace

std::unique_ptr<Tuner> make_gradient_apo(const ApoOptions& options) {
  return std::make_unique<Apo>(options);
}

}  // namespace apo
