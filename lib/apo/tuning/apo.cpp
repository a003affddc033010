#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apo/objective/proximal.h"
#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// Amortized Proximal Optimization: every K steps one gradient step of the meta-optimizer on J(φ).
///     φ ← meta-optimizer(φ, ∇_φ J)
/// Source: APO paper, Eq. 11 and Algorithm 1.
class Apo : public Tuner {
 public:
  explicit Apo(const ApoOptions& options)
      : options_(options),
        discrepancy_(ChoiceOf<Discrepancy>(discrepancies(), options.discrepancy).make()),
        objective_{.lambda = options.lambda,
                   .weight_lambda = options.weight_lambda,
                   .loss_term = options.loss_term == "linear" ? LossTerm::linear : LossTerm::loss},
        meta_rule_(options.meta_optimizer.make({.learning_rate = options.meta_learning_rate})) {}

  std::vector<std::string> tuned() const override { return options_.tune; }
  bool per_layer() const override { return options_.scope == "per_layer"; }
  int64_t interval() const override { return options_.interval; }
  int64_t discrepancy_batch_size() const override { return options_.discrepancy_batch_size; }

  std::optional<double> initial_learning_rate(const StepContext& context,
                                              const Hyperparameters& phi) override;

  std::optional<MetaRecord> before_step(const StepContext& context, Hyperparameters& phi) override {
    if (context.step % options_.interval != 0) return std::nullopt;
    const Batch x_tilde = context.problem.next_discrepancy_batch();
    const PendingStep pending = pending_step(context, x_tilde);
    const MetaGradient meta = ProximalObjective(pending, *discrepancy_, objective_).gradient(phi);

    MetaRecord record = to_record(context.step, meta);
    if (record.skipped) {
      shrink_learning_rate(phi);
    } else {
      descend(phi, meta.gradient);
    }
    return record;
  }

 private:
  static PendingStep pending_step(const StepContext& context, const Batch& x_tilde) {
    return {context.problem, context.rule, context.g, context.xi, context.x, x_tilde};
  }

  /// Fetches J, its terms and its gradient from the device, at once.
  static MetaRecord to_record(int64_t step, const MetaGradient& meta) {
    TensorList scalars = {meta.terms.objective, meta.terms.loss_term, meta.terms.discrepancy};
    for (const Tensor& gradient : meta.gradient) {
      for (const Tensor& group : gradient.unbind()) scalars.push_back(group);
    }
    const std::vector<double> numbers = to_doubles(scalars);
    MetaRecord record;
    record.step = step;
    record.objective = numbers[0];
    record.loss_term = numbers[1];
    record.discrepancy = numbers[2];
    size_t next = 3;
    for (const Tensor& gradient : meta.gradient) {
      const auto groups = static_cast<size_t>(gradient.size(0));
      record.gradient.emplace_back(numbers.begin() + next, numbers.begin() + next + groups);
      next += groups;
    }
    record.skipped =
        !std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isfinite(v); });
    return record;
  }

  /// A step whose J is not finite was too large: η ← η · exp(−meta rate). The meta-optimizer never
  /// sees it.
  void shrink_learning_rate(Hyperparameters& phi) const {
    const size_t eta = phi.index("learning_rate");
    phi.move(eta, phi.stored(eta) - options_.meta_learning_rate);
  }

  void descend(Hyperparameters& phi, const TensorList& gradient) {
    TensorList stored;
    for (const size_t h : phi.tuned()) stored.push_back(phi.stored(h));
    if (!meta_phi_) {
      meta_phi_.emplace(meta_rule_->hyperparameters(), stored.size());
      meta_xi_ = meta_rule_->initial_statistics(stored);
    }
    meta_rule_->observe(gradient, meta_xi_);
    const TensorList next =
        meta_rule_->propose(stored, gradient, meta_xi_, meta_phi_->values(), Momentum::apply);
    for (size_t k = 0; k < next.size(); ++k) phi.move(phi.tuned()[k], next[k]);
  }

  ApoOptions options_;
  std::unique_ptr<Discrepancy> discrepancy_;
  ProximalOptions objective_;
  std::unique_ptr<UpdateRule> meta_rule_;
  std::optional<Hyperparameters> meta_phi_;
  Statistics meta_xi_;
};

/// J on a logarithmic grid of rates, 1e-8…1e2 at four per decade, by forward passes; its minimiser.
/// With momentum the grid is in the effective step η / (1 − μ), for one step does not show how much
/// momentum will add.
std::optional<double> Apo::initial_learning_rate(const StepContext& context,
                                                 const Hyperparameters& phi) {
  const Batch x_tilde = context.problem.next_discrepancy_batch();
  const PendingStep pending = pending_step(context, x_tilde);
  ProximalObjective objective(pending, *discrepancy_, objective_);
  const size_t eta = phi.index("learning_rate");
  double best_rate = 1e-8;
  double best = std::numeric_limits<double>::infinity();
  for (int quarter_decades = 0; quarter_decades <= 40; ++quarter_decades) {
    const double rate = std::pow(10, -8 + quarter_decades / 4.0);
    const double value =
        objective.value(phi.values_with({eta}, {at::full_like(phi.value(eta), rate)}));
    if (value < best) {  // false for NaN
      best = value;
      best_rate = rate;
    }
  }
  return best_rate / context.rule.momentum_gain();
}

/// The names that some update rule declares.
std::vector<std::string> tunable_names() {
  std::vector<std::string> names;
  for (const auto& member : update_rules()) {
    for (const HyperparameterSpec& spec : member.recipe()->make({})->hyperparameters()) {
      if (std::count(names.begin(), names.end(), spec.name) == 0) names.push_back(spec.name);
    }
  }
  return names;
}

}  // namespace

ApoOptions::ApoOptions() : meta_optimizer(update_rules(), "rmsprop") {}

void ApoOptions::visit(OptionVisitor& visitor) {
  visitor.real(
      "lambda", lambda, Range::at_least(0), "λ, weight of the discrepancy; a list is a grid");
  visitor.words(
      "tune", tune, tunable_names(), "hyperparameters to tune, of those the optimizer has");
  visitor.word("scope",
               scope,
               {"global", "per_layer"},
               "what shares a value: all, or a module's parameters");
  if (scope != defaults_for_) take_defaults_of_scope();
  visitor.integer(
      "interval", interval, Range::at_least(1), "K, base steps per meta step; per layer: 5");
  visitor.word(
      "loss_term", loss_term, {"loss", "linear"}, "h: the loss, or its Taylor term (Eq. 4)");
  visitor.word("discrepancy",
               discrepancy,
               ChoiceOf<Discrepancy>(discrepancies(), discrepancies().front().name).names(),
               "D, how the move of the outputs is measured");
  visitor.real("weight_lambda", weight_lambda, Range::at_least(0), "λ_w, weight of ½‖θ′ − θ‖²");
  visitor.integer("discrepancy_batch_size",
                  discrepancy_batch_size,
                  Range::at_least(0),
                  "examples in x̃; 0: the batch size");
  visitor.section("meta_optimizer", "what moves the hyperparameters", [this](OptionVisitor& meta) {
    meta.choice(meta_optimizer, "an update rule");
    meta.real("learning_rate",
              meta_learning_rate,
              Range::at_least(0),
              "of the meta-optimizer; per layer: 0.001");
  });
}

/// Many values are a harder problem: smaller and more frequent meta steps (paper, Appendix C).
void ApoOptions::take_defaults_of_scope() {
  defaults_for_ = scope;
  interval = scope == "per_layer" ? 5 : 10;
  meta_learning_rate = scope == "per_layer" ? 0.001 : 0.1;
}

std::unique_ptr<Tuner> make_apo(const ApoOptions& options) {
  return std::make_unique<Apo>(options);
}

}  // namespace apo
