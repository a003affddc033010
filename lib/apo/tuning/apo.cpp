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
/// A trial fails where the loss rises above this many times the untrained network's: room for the
/// differences between batches.
constexpr double kHarmed = 1.1;
/// Between the rates that are tried, and the least of them.
constexpr double kTrialFactor = 2;
constexpr double kSmallestRate = 1e-8;
/// A lean meta step sees one in so many of the examples.
constexpr int64_t kLeanShare = 4;
/// Base steps of a trial, however rare the meta steps are.
constexpr int64_t kLongestTrial = 100;

/// Amortized Proximal Optimization: every K steps one gradient step of the meta-optimizer on J(φ).
///     φ ← meta-optimizer(φ, ∇_φ J)
/// Source: APO paper, Eq. 11 and Algorithm 1.
/// Differs, unless form is `paper`, by two line searches on J. A first rate more than a factor ten
/// away from J's minimiser gives way to it. And where a step would undo the training, that is where
/// ℓ plus the rise of J exceeds twice the untrained network's loss ℓ₀, or is not finite, the rate
/// is searched anew and the meta-optimizer never sees the gradient.
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
    const PendingStep pending = pending_step(context, context.x, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const double gain = context.rule.momentum_gain();
    const Tensor effective = phi.value(phi.index("learning_rate")) * gain;
    if (given && is_near_minimum(objective, phi, effective)) return std::nullopt;
    return tried(to_double(search_all_rates(objective, phi)[0]) / gain, context, phi);
  }

  std::optional<MetaRecord> before_step(const StepContext& context, Hyperparameters& phi) override {
    if (context.step % options_.interval != 0) return std::nullopt;
    const double loss = to_double(context.loss);
    if (!untrained_loss_) untrained_loss_ = loss;
    const Batch x = seen(context.x), x_tilde = seen(context.problem.next_discrepancy_batch());
    const PendingStep pending = pending_step(context, x, x_tilde);
    ProximalObjective objective(pending, *discrepancy_, objective_);
    const MetaGradient meta = objective.gradient(phi);

    MetaRecord record = to_record(context.step, meta);
    record.skipped = !is_finite(record) || undoes_training(record, loss);
    if (!record.skipped) {
      meta_optimizer_.step(phi, meta.gradient);
    } else {
      shrink_learning_rate(context, objective, phi);
    }
    return record;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.optional("untrained_loss", untrained_loss_);
    visitor.section("meta_optimizer", [this](StateVisitor& v) { meta_optimizer_.visit_state(v); });
  }

 private:
  /// The rate, or the first below it with which the base steps until the next meta step, of which J
  /// sees but one, do no harm.
  double tried(double rate, const StepContext& context, Hyperparameters phi) const {
    const double limit = kHarmed * to_double(context.loss);
    for (; rate > kSmallestRate; rate /= kTrialFactor) {
      phi.set(phi.index("learning_rate"), rate);
      if (survives_trial(context, phi, std::min(options_.interval, kLongestTrial), limit))
        return rate;
    }
    return rate;
  }

  /// Whether line searches may move η: not where it is meant to stay.
  bool searches() const {
    return options_.form == "robust" && options_.meta_learning_rate > 0 &&
           std::count(options_.tune.begin(), options_.tune.end(), "learning_rate") > 0;
  }

  /// The part of a batch that a meta step looks at.
  Batch seen(const Batch& batch) const {
    if (!options_.lean || !batch.inputs.defined()) return batch;
    const int64_t count = (batch.inputs.size(0) - 1) / kLeanShare + 1;
    return {batch.inputs.narrow(0, 0, count), batch.targets.narrow(0, 0, count)};
  }

  static PendingStep pending_step(const StepContext& context,
                                  const Batch& x,
                                  const Batch& x_tilde) {
    return {context.problem, context.rule, context.g, context.xi, x, x_tilde};
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

  bool undoes_training(const MetaRecord& record, double loss) const {
    if (!searches()) return false;
    const double unmoved = options_.loss_term == "linear" ? 0 : loss;  // J of no step at all
    return loss + record.objective - unmoved > kUndone * *untrained_loss_;
  }

  /// The step was too large. The paper's form: η ← η · exp(−meta rate).
  void shrink_learning_rate(const StepContext& context,
                            ProximalObjective& objective,
                            Hyperparameters& phi) const {
    const size_t eta = phi.index("learning_rate");
    if (searches()) {
      const double gain = context.rule.momentum_gain();
      const Tensor rates = search_multiples(objective, phi, phi.value(eta) * gain);
      phi.move(eta, (rates / gain).log());
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

}  // namespace

std::unique_ptr<Tuner> make_apo(const ApoOptions& options) {
  return std::make_unique<Apo>(options);
}

}  // namespace apo
