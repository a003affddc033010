#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/objective/proximal.h"
#include "apo/tuning/meta_optimizer.h"
#include "apo/tuning/rate_search.h"
#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// A step that leaves the network this many times worse than it was untrained undoes the training.
constexpr double kUndone = 2;

/// Amortized Proximal Optimization: every K steps one gradient step of the meta-optimizer on J(φ).
///     φ ← meta-optimizer(φ, ∇_φ J)
/// Source: APO paper, Eq. 11 and Algorithm 1.
/// Differs, unless form is `paper`, by two line searches on J. A first rate more than a factor ten
/// away from J's minimiser gives way to it. And where a step would undo the training, that is where
/// ℓ plus the rise of J exceeds twice the untrained network's loss ℓ₀, or is not finite, the rate
/// is searched anew, below, and the meta-optimizer never sees the gradient.
class Apo : public Tuner {
 public:
  explicit Apo(const ApoOptions& options)
      : options_(options),
        discrepancy_(ChoiceOf<Discrepancy>(discrepancies(), options.discrepancy).make()),
        objective_{.lambda = options.lambda,
                   .weight_lambda = options.weight_lambda,
                   .loss_term = options.loss_term == "linear" ? LossTerm::linear : LossTerm::loss,
                   .momentum = options.through_momentum ? Momentum::apply : Momentum::ignore},
        meta_optimizer_(
            options.meta_optimizer.make({.learning_rate = options.meta_learning_rate})) {}

  std::vector<std::string> tuned() const override { return options_.tune; }
  bool per_layer() const override { return options_.scope == "per_layer"; }
  int64_t interval() const override { return options_.interval; }
  int64_t discrepancy_batch_size() const override { return options_.discrepancy_batch_size; }

  std::map<std::string, Range> bounds() const override {
    std::map<std::string, Range> given;
    for (const auto& [name, range] : options_.bounds) {
      if (range) given[name] = *range;
    }
    return given;
  }

  void check(const Problem& problem) const override {
    if (problem.has_classes() || !discrepancy_->needs_classes()) return;
    std::vector<std::string> accepted;
    for (const auto& member : discrepancies()) {
      if (!member.recipe()->make()->needs_classes()) accepted.push_back(member.name);
    }
    throw Error(ErrorKind::config,
                "tuner.discrepancy = " + options_.discrepancy +
                    ": the problem is a regression, whose outputs are no log-probabilities; "
                    "accepted: " +
                    list_or(accepted));
  }

  /// J's minimiser on the first batch, unless a rate is given and near it. With momentum the search
  /// is for the effective step η / (1 − μ), for one step does not show how much momentum will add.
  std::optional<double> initial_learning_rate(const StepContext& context,
                                              const Hyperparameters& phi,
                                              bool given) override {
    if (given && !searches()) return std::nullopt;
    const Batch x_tilde = context.problem.next_discrepancy_batch();
    const PendingStep pending = pending_step(context, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const double gain = context.rule.momentum_gain();
    const Tensor effective = phi.value(phi.index("learning_rate")) * gain;
    if (given && is_near_minimum(objective, phi, effective)) return std::nullopt;
    return to_double(search_all_rates(objective, phi)[0]) / gain;
  }

  std::optional<MetaRecord> before_step(const StepContext& context, Hyperparameters& phi) override {
    if (context.step % options_.interval != 0) return std::nullopt;
    const Batch x_tilde = context.problem.next_discrepancy_batch();
    const PendingStep pending = pending_step(context, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const MetaGradient meta = objective.gradient(phi);

    MetaRecord record = to_record(context.step, meta);
    record.skipped = !is_finite(record) || undoes_training(record, to_double(context.loss));
    if (!record.skipped) {
      meta_optimizer_.step(phi, meta.gradient);
    } else {
      shrink_learning_rate(context, objective, phi);
    }
    return record;
  }

 private:
  /// Whether line searches may move η: not where it is meant to stay.
  bool searches() const {
    return options_.form == "robust" && options_.meta_learning_rate > 0 &&
           std::count(options_.tune.begin(), options_.tune.end(), "learning_rate") > 0;
  }

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
    return record;
  }

  static bool is_finite(const MetaRecord& record) {
    const auto finite = [](double v) { return std::isfinite(v); };
    return finite(record.objective) &&
           std::all_of(record.gradient.begin(), record.gradient.end(), [&](const auto& groups) {
             return std::all_of(groups.begin(), groups.end(), finite);
           });
  }

  bool undoes_training(const MetaRecord& record, double loss) {
    if (!searches()) return false;
    if (!untrained_loss_) untrained_loss_ = loss;
    const double unmoved = options_.loss_term == "linear" ? 0 : loss;  // J of no step at all
    return loss + record.objective - unmoved > kUndone * *untrained_loss_;
  }

  /// The step was too large. The paper's form: η ← η · exp(−meta rate).
  void shrink_learning_rate(const StepContext& context,
                            ProximalObjective& objective,
                            Hyperparameters& phi) const {
    const size_t eta = phi.index("learning_rate");
    if (searches()) {
      const Tensor rates = search_smaller_rates(objective, phi);
      phi.move(eta, (rates / context.rule.momentum_gain()).log());
    } else {
      phi.move(eta, phi.stored(eta) - options_.meta_learning_rate);
    }
  }

  ApoOptions options_;
  std::unique_ptr<Discrepancy> discrepancy_;
  ProximalOptions objective_;
  MetaOptimizer meta_optimizer_;
  std::optional<double> untrained_loss_;
};

/// What some update rule declares, each name once.
std::vector<HyperparameterSpec> tunable() {
  std::vector<HyperparameterSpec> specs;
  for (const auto& member : update_rules()) {
    for (const HyperparameterSpec& spec : member.recipe()->make({})->hyperparameters()) {
      const auto same = [&spec](const HyperparameterSpec& s) { return s.name == spec.name; };
      if (std::none_of(specs.begin(), specs.end(), same)) specs.push_back(spec);
    }
  }
  return specs;
}

std::vector<std::string> names_of(const std::vector<HyperparameterSpec>& specs) {
  std::vector<std::string> names;
  for (const HyperparameterSpec& spec : specs) names.push_back(spec.name);
  return names;
}

}  // namespace

ApoOptions::ApoOptions() : meta_optimizer(meta_rules(), "rmsprop") {}

void ApoOptions::visit(OptionVisitor& visitor) {
  visitor.real(
      "lambda", lambda, Range::at_least(0), "λ, weight of the discrepancy; a list is a grid");
  visitor.word("form",
               form,
               {"robust", "paper"},
               "robust: line searches where the first rate is far off or a step would undo the "
               "training, and a bias-corrected meta-optimizer; paper: neither");
  if (form != defaults_for_form_) take_defaults_of_form();
  const std::vector<HyperparameterSpec> specs = tunable();
  visitor.words(
      "tune", tune, names_of(specs), "hyperparameters to tune, of those the optimizer has");
  visitor.section("bounds", "where a tuned hyperparameter stays", [&](OptionVisitor& each) {
    for (const HyperparameterSpec& spec : specs) {
      each.interval(spec.name.c_str(), bounds[spec.name], spec.range, "lower and upper bound");
    }
  });
  visitor.word("scope",
               scope,
               {"global", "per_layer"},
               "what shares a value: all, or a module's parameters");
  if (scope != defaults_for_scope_) take_defaults_of_scope();
  visitor.integer(
      "interval", interval, Range::at_least(1), "K, base steps per meta step; per layer: 5");
  visitor.flag("through_momentum",
               through_momentum,
               "look through the real update; else tune as if there were no momentum");
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

void ApoOptions::take_defaults_of_form() {
  defaults_for_form_ = form;
  meta_optimizer = UpdateRuleChoice(form == "paper" ? paper_meta_rules() : meta_rules(), "rmsprop");
}

/// Many values are a harder problem: smaller and more frequent meta steps (paper, Appendix C).
void ApoOptions::take_defaults_of_scope() {
  defaults_for_scope_ = scope;
  interval = scope == "per_layer" ? 5 : 10;
  meta_learning_rate = scope == "per_layer" ? 0.001 : 0.1;
}

std::unique_ptr<Tuner> make_apo(const ApoOptions& options) {
  return std::make_unique<Apo>(options);
}

}  // namespace apo
