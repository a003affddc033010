#include "apo/train/trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/exp.h>
#include <fmt/format.h>

#include <algorithm>

#include "apo/base/system.h"
#include "apo/update/observe.h"

namespace apo {
namespace {

Hyperparameters make_hyperparameters(const UpdateRule& rule, const Tuner& tuner, Problem& problem) {
  std::vector<std::string> layers;
  std::vector<int64_t> group_of = layers_of(problem.parameter_names(), layers);
  if (!tuner.per_layer()) std::fill(group_of.begin(), group_of.end(), 0);
  const int64_t groups = tuner.per_layer() ? static_cast<int64_t>(layers.size()) : 1;
  std::vector<HyperparameterSpec> specs = rule.hyperparameters();
  for (const auto& [name, range] : tuner.bounds()) {
    for (HyperparameterSpec& spec : specs) {
      if (spec.name == name) spec.range = range;
    }
  }
  const at::Device device = problem.parameters().front().device();
  return {std::move(specs), tuner.tuned(), std::move(group_of), groups, device};
}

/// In place, storage kept.
void copy_values(const TensorList& from, TensorList& to) {
  for (size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

}  // namespace

Trainer::Trainer(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 std::vector<Observer*> observers)
    : problem_(problem),
      rule_(rule),
      tuner_(tuner),
      options_(options),
      observers_(std::move(observers)),
      phi_(make_hyperparameters(rule, tuner, problem)),
      xi_(rule.initial_statistics(problem.parameters())),
      log_(observers_, problem.parameters().front().is_cpu()) {}

void Trainer::advance(int64_t steps) {
  const int64_t end = std::min(t_ + steps, options_.steps);
  clock_.start();
  while (t_ < end && !log_.diverged() && !options_.interrupted()) {
    take_step();
    ++t_;
    if (t_ % problem_.steps_per_epoch() == 0 || t_ == options_.steps) end_epoch();
  }
  log_.fetch();
  clock_.stop();
}

/// The base step of the method, and where the tuner says so the meta step before it.
void Trainer::take_step() {
  const Batch x = problem_.next_batch();
  const Tensor z = problem_.outputs(x);
  const Tensor loss = problem_.loss(z, x);
  const TensorList g = observe(rule_, problem_, x, loss, xi_);
  tune({t_, problem_, rule_, g, xi_, x, loss});
  step(rule_, theta(), g, xi_, phi_.values());
  log_.push({t_, z.size(0), loss, problem_.correct(z, x), rate()});
}

void Trainer::tune(const StepContext& context) {
  meta_clock_.start();
  if (t_ == 0) {
    const bool given = !options_.auto_learning_rate;
    const auto found = tuner_.initial_learning_rate(context, phi_, given);
    if (found) set_learning_rate(*found);
  }
  const std::optional<MetaRecord> meta = tuner_.before_step(context, phi_);
  meta_clock_.stop();
  if (!meta) return;
  skipped_ += meta->skipped;
  const std::vector<HyperparameterRecord> values = tuned_values();
  for (Observer* observer : observers_) observer->on_meta(*meta, values);
}

void Trainer::end_epoch() {
  log_.fetch();
  if (log_.diverged()) return;
  clock_.stop();
  const int64_t epoch = (t_ + problem_.steps_per_epoch() - 1) / problem_.steps_per_epoch();
  const int64_t every = options_.evaluate_every;
  const bool evaluated = every > 0 && (epoch % every == 0 || t_ == options_.steps);
  const bool full = options_.train_metrics == TrainMetrics::full && evaluated;
  EpochRecord record{.epoch = epoch,
                     .step = t_,
                     .train = log_.take_running_metrics(),
                     .test = evaluated ? problem_.evaluate(Part::test) : std::nullopt,
                     .learning_rate = learning_rate(),
                     .wall_seconds = clock_.seconds()};
  if (full) record.train = problem_.evaluate(Part::train).value_or(record.train);
  note_best(record);
  for (Observer* observer : observers_) observer->on_epoch(record);
  clock_.start();
}

void Trainer::note_best(const EpochRecord& record) {
  const double loss = record.train.loss;
  summary_.epochs = record.epoch;
  summary_.final_train = record.train;
  summary_.best_train_loss = std::min(summary_.best_train_loss.value_or(loss), loss);
  if (!record.test) return;
  summary_.final_test = record.test;
  const auto accuracy = record.test->accuracy;
  if (accuracy > summary_.best_test_accuracy) summary_.best_test_accuracy = accuracy;
}

RunSummary Trainer::conclude() {
  summary_.steps = t_;
  if (const auto& bad = log_.diverged()) {
    summary_.status = RunStatus::diverged;
    summary_.steps = bad->step;
    summary_.message = fmt::format(
        "the loss became {} at step {} (epoch {}), with learning rate {}; "
        "try a smaller learning rate, or a larger lambda",
        bad->loss,
        bad->step,
        bad->step / problem_.steps_per_epoch() + 1,
        bad->learning_rate);
  } else if (t_ < options_.steps) {
    summary_.status = RunStatus::interrupted;
    summary_.message = fmt::format("interrupted after step {} of {}", t_, options_.steps);
  }
  summary_.final_learning_rate = learning_rate();
  summary_.wall_seconds = clock_.seconds();
  summary_.steps_per_second = static_cast<double>(t_) / summary_.wall_seconds;
  summary_.meta_share = meta_clock_.seconds() / summary_.wall_seconds;
  summary_.meta_skipped = skipped_;
  summary_.peak_memory_bytes = peak_memory_bytes();
  for (Observer* observer : observers_) observer->on_end(summary_);
  return summary_;
}

void Trainer::copy_from(const Trainer& other) {
  const at::NoGradGuard no_grad;
  copy_values(other.problem_.parameters(), problem_.parameters());
  copy_values(other.problem_.buffers(), problem_.buffers());
  xi_ = clone(other.xi_);
  phi_ = other.phi_;
  t_ = other.t_;
  log_.forget_divergence();
}

double Trainer::learning_rate() const {
  return to_double(rate());
}

void Trainer::set_learning_rate(double rate) {
  phi_.set(phi_.index("learning_rate"), rate);
}

Tensor Trainer::rate() const {
  const Tensor& value = phi_.value(phi_.index("learning_rate"));
  return phi_.groups() == 1 ? value : value.log().mean().exp();
}

std::vector<HyperparameterRecord> Trainer::tuned_values() const {
  std::vector<std::string> layers;
  if (phi_.groups() > 1) layers_of(problem_.parameter_names(), layers);
  std::vector<HyperparameterRecord> records;
  for (const size_t h : phi_.tuned()) {
    const std::vector<double> values = to_doubles(phi_.value(h).unbind());
    for (size_t group = 0; group < values.size(); ++group) {
      const std::string suffix = layers.empty() ? "" : "/" + layers[group];
      records.push_back({phi_.specs()[h].name + suffix, t_, values[group]});
    }
  }
  return records;
}

RunSummary train(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 const std::vector<Observer*>& observers) {
  Trainer trainer(problem, rule, tuner, options, observers);
  trainer.advance(options.steps);
  return trainer.conclude();
}

}  // namespace apo
