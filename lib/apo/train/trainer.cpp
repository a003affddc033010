#include "apo/train/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ceil_div.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "apo/base/system.h"
#include "apo/problem/state.h"
#include "apo/train/initial_hyperparameters.h"
#include "apo/update/observe.h"

namespace apo {
namespace {

/// A step is ruined where its loss is so many times the untrained network's. A regression may begin
/// next to its optimum and is given more room.
constexpr double kRuined = 10;
constexpr double kRuinedRegression = 1000;

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
      phi_(initial_hyperparameters(rule, tuner, problem)),
      xi_(rule.initial_statistics(problem.network->parameters())),
      log_(observers_,
           names_of_tuned(phi_, problem),
           problem.network->parameters().front().is_cpu()),
      scores_(problem.validation != nullptr),
      average_(options.average, problem.network->parameters()),
      meta_clock_(problem.network->parameters().front().device()) {
  // A recording draws the same numbers every time, and waits for no other rank.
  const bool recordable =
      rule.traits().recordable && !problem.network->draws() && problem.group->size() == 1;
  if (!recordable) options_.recorder.reset();
  if (options_.schedule) factor_ = at::ones({}, phi_.value(phi_.index("learning_rate")).options());
}

void Trainer::advance_to(int64_t end) {
  end = std::min(end, options_.steps);
  const auto recordable = options_.recorder ? options_.recorder->enter() : nullptr;
  clock_.start();
  while (!log_.diverged() && !options_.interrupted()) {
    if (is_epoch_over()) {
      end_epoch();
    } else if (t_ < end && !ended_early()) {
      if (!take_step()) break;
      ++t_;
    } else {
      break;
    }
  }
  log_.fetch();
  clock_.stop();
}

bool Trainer::is_epoch_over() const {
  const bool boundary = t_ % problem_.batches->steps_per_pass() == 0 || t_ == options_.steps;
  return boundary && t_ > recorded_;
}

/// The base step of the method, and where the tuner says so the meta step before it.
bool Trainer::take_step() {
  Recorder* recorder = options_.recorder.get();
  draw_for_step(problem_, t_);
  const Batch x = problem_.batches->next();
  const Gradient at =
      differentiated_(recorder, x, [this](const Batch& batch) { return differentiate(batch); });
  if (!judged_) judge_by_chance(at);
  tune({t_,
        problem_,
        rule_,
        at.g,
        xi_,
        x,
        at.loss,
        recorder,
        options_.interrupted,
        options_.auto_learning_rate,
        found_rate_scale_,
        options_.steps});
  // The search for the first rate takes long. Broken off, it has drawn batches that no step used.
  broken_off_ = t_ == 0 && tuner_.traits().interval > 0 && options_.interrupted();
  if (broken_off_) return false;
  log_.push_step(t_, at.positions, update(at));
  average_.add(theta(), t_ + 1);
  return true;
}

/// Of classes, the loss of who knows nothing is ln C.
void Trainer::judge_by_chance(const Gradient& at) {
  judged_ = true;
  const bool classes = problem_.loss->has_classes();
  const double chance = classes ? std::log(static_cast<double>(at.outputs)) : 0;
  const int64_t window = std::clamp<int64_t>(problem_.batches->steps_per_pass(), 10, 100);
  log_.judge_by(chance, classes ? kRuined : kRuinedRegression, window);
}

/// g, with ξ updated with it.
Trainer::Gradient Trainer::differentiate(const Batch& x) {
  const Tensor z = problem_.network->forward(x.inputs);
  const Tensor loss = problem_.loss->value(z, x);
  TensorList g = observe(rule_, problem_, x, loss, xi_);
  Gradient at{
      loss.detach(), problem_.loss->correct(z, x), std::move(g), positions_of(z), z.size(-1)};
  if (x.of > 0) make_whole(at, x);
  return at;
}

/// What is told of the rank's part becomes that of the whole batch.
void Trainer::make_whole(Gradient& at, const Batch& x) const {
  Group& group = *problem_.group;
  std::vector<Tensor*> parts = {&at.loss};
  if (at.correct.defined()) {
    at.correct = at.correct.to(at::kDouble) * group.size();
    parts.push_back(&at.correct);
  }
  average(group, parts);
  at.positions = at.positions / x.inputs.size(0) * x.of;
}

void Trainer::tune(const StepContext& context) {
  meta_clock_.start();
  const TunerReport report = tuner_.before_step(context, phi_);
  meta_clock_.stop();
  for (const SearchRecord& search : report.searches) {
    if (search.first && options_.auto_learning_rate) continue;  // it replaced nothing
    for (Observer* observer : observers_) observer->on_search(search);
  }
  if (report.froze) {
    log_.fetch();  // what was before it is told before it
    for (Observer* observer : observers_) observer->on_freeze(t_);
  }
  if (!report.meta) return;
  TensorList values;
  for (const size_t h : phi_.tuned()) {
    if (phi_.is_scalar(h)) values.push_back(phi_.value(h));
  }
  log_.push_meta(t_, *report.meta, values);
}

/// θ ← θ′. What the log wants to know of the step.
Packed<StepTerms> Trainer::update(const Gradient& at) {
  if (options_.schedule) factor_.fill_(options_.schedule->factor(t_, options_.steps));
  return updated_(options_.recorder.get(), at, [this](const Gradient& in) {
    const bool scheduled = factor_.defined();
    rule_.step(theta(), in.g, xi_, scheduled ? scheduled_values() : phi_.values(), factor_);
    StepTerms<Tensor> terms{in.loss, rate()};
    if (in.correct.defined()) terms.correct = in.correct;
    if (scheduled) terms.learned_rate = std::exchange(terms.learning_rate, rate() * factor_);
    return Packed<StepTerms>(terms);
  });
}

/// φ with η times the schedule's factor.
HyperparameterValues Trainer::scheduled_values() const {
  const size_t eta = phi_.index("learning_rate");
  return phi_.values_with({eta}, {phi_.value(eta) * factor_});
}

void Trainer::end_epoch() {
  log_.fetch();
  if (!log_.diverged()) log_.judge(t_ == options_.steps);
  if (log_.diverged()) return;
  clock_.stop();
  draw_for_step(problem_, t_);
  average_buffers(problem_);
  const int64_t per_epoch = problem_.batches->steps_per_pass();
  if (t_ % per_epoch != 0) options_.on_cut_epoch();
  const int64_t epoch = at::ceil_div(t_, per_epoch);
  const int64_t every = options_.evaluate_every;
  const bool evaluated = every > 0 && (epoch % every == 0 || t_ == options_.steps);
  const bool full = options_.train_metrics == TrainMetrics::full && every > 0;
  EpochRecord record{.epoch = epoch,
                     .step = t_,
                     .train = {},
                     .test = {},
                     .learning_rate = learning_rate() * scheduled(),
                     .wall_seconds = clock_.seconds(),
                     .meta_share = meta_clock_.seconds() / clock_.seconds()};
  if (options_.schedule) record.learned_rate = learning_rate();
  const auto measured = [&](Part part) { return evaluate(problem_, part, options_.interrupted); };
  const std::optional<Metrics> whole = full ? measured(Part::train) : std::nullopt;
  if (evaluated) record.test = measured(Part::test);
  record.has_validation = problem_.validation != nullptr;
  if (evaluated) record.validation = measured(Part::validation);
  record.average = average_.measured(problem_, full, evaluated, options_.interrupted);
  if (options_.interrupted()) return;  // the epoch ends again when the run goes on
  const Metrics running = log_.take_running_metrics();
  record.train = whole.value_or(running);
  recorded_ = t_;
  scores_.note(record);
  average_.note(record.average);
  for (Observer* observer : observers_) observer->on_epoch(record);
  const bool goes_on = t_ < options_.steps && !ended_early();
  if (is_on_schedule() && goes_on) options_.on_checkpoint();  // else the runner does
  clock_.start();
}

bool Trainer::is_on_schedule() const {
  const int64_t every = options_.checkpoint_every * problem_.batches->steps_per_pass();
  const bool due = every > 0 && t_ % every == 0 && t_ == recorded_;
  return t_ == 0 || (due && !log_.looks_ruined());
}

bool Trainer::is_new_best() {
  return t_ == recorded_ && scores_.is_new_best();
}

std::string Trainer::reason(const StepRecord& bad) const {
  const std::string loss =
      std::isfinite(bad.loss)
          ? fmt::format("the loss is ruined: {:.4g}, of the untrained network {:.4g},",
                        bad.loss,
                        log_.untrained_loss())
          : fmt::format("the loss became {}", bad.loss);
  std::string remedies;
  for (const std::string& remedy : {rule_.traits().remedy, tuner_.traits().remedy}) {
    if (!remedy.empty()) remedies += ", " + remedy;
  }
  if (!options_.remedy.empty()) remedies += " or " + options_.remedy;
  return fmt::format(
      "{} at step {} (epoch {}), with learning rate {}; try a smaller "
      "optimizer.learning_rate{}",
      loss,
      bad.step,
      bad.step / problem_.batches->steps_per_pass() + 1,
      bad.learning_rate,
      remedies);
}

RunSummary Trainer::conclude() {
  RunSummary summary;
  scores_.report_to(summary);
  summary.final_average = average_.last();
  summary.steps = t_;
  if (const auto& bad = log_.diverged()) {
    summary.status = RunStatus::diverged;
    summary.steps = bad->step;
    summary.message = reason(*bad);
  } else if (is_interrupted()) {
    summary.status = RunStatus::interrupted;
    summary.message = fmt::format(
        "interrupted after step {} of {}; the same command with --resume goes on with it",
        t_,
        options_.steps);
  }
  if (summary.status == RunStatus::finished && t_ < options_.steps) {
    summary.message = fmt::format(
        "ended at step {} of {}: the last {} evaluations were no better on the validation set",
        t_,
        options_.steps,
        scores_.stale());
  }
  summary.final_learning_rate = learning_rate() * scheduled();
  if (options_.schedule) summary.final_learned_rate = learning_rate();
  summary.wall_seconds = clock_.seconds();
  summary.steps_per_second = static_cast<double>(t_) / summary.wall_seconds;
  summary.meta_share = meta_clock_.seconds() / summary.wall_seconds;
  summary.meta_skipped = log_.skipped();
  summary.peak_memory_bytes = peak_memory_bytes(theta().front().device());
  summary.ranks = problem_.group->size();
  summary.traffic = problem_.group->traffic();
  for (Observer* observer : observers_) observer->on_end(summary);
  return summary;
}

void Trainer::copy_from(Trainer& other) {
  const State state = state_of([&](StateVisitor& v) { other.walk_inherited(v); });
  restore(state, theta().front().device(), [this](StateVisitor& v) { visit_inherited(v); });
}

void Trainer::visit_inherited(StateVisitor& visitor) {
  walk_inherited(visitor);
  if (!visitor.restores()) return;
  log_.forget_divergence();
  forget_recordings();
}

void Trainer::walk_inherited(StateVisitor& visitor) {
  visitor.integer("step", t_);
  visitor.integer("recorded", recorded_);
  visitor.section("problem", [this](StateVisitor& v) { visit_network(*problem_.network, v); });
  visitor.section("statistics", [this](StateVisitor& v) { apo::visit_state(xi_, v); });
  visitor.section("hyperparameters", [this](StateVisitor& v) { phi_.visit_state(v); });
  visitor.section("tuner", [this](StateVisitor& v) { tuner_.visit_state(v); });
  average_.visit_values(visitor);
}

void Trainer::visit_state(StateVisitor& visitor) {
  walk_inherited(visitor);
  clock_.visit_state("wall_seconds", visitor);
  meta_clock_.visit_state("meta_seconds", visitor);
  scores_.visit_state(visitor);
  visitor.section("log", [this](StateVisitor& v) { log_.visit_state(v); });
  visitor.section("problem", [this](StateVisitor& v) { visit_streams(problem_, v); });
  average_.visit_measured(visitor);
  if (visitor.restores()) forget_recordings();
}

/// After tensors have been replaced.
void Trainer::forget_recordings() {
  differentiated_.forget();
  updated_.forget();
}

double Trainer::learning_rate() const {
  return to_double(rate());
}

double Trainer::scheduled() const {
  if (!options_.schedule) return 1;
  return options_.schedule->factor(std::max<int64_t>(t_ - 1, 0), options_.steps);
}

void Trainer::set_learning_rate(double rate) {
  phi_.set(phi_.index("learning_rate"), rate);
}

void Trainer::scale_learning_rate(double factor) {
  const size_t eta = phi_.index("learning_rate");
  phi_.set(eta, phi_.value(eta) * factor);
  tuner_.rate_scaled(factor);
  if (t_ == 0) found_rate_scale_ = factor;
}

Tensor Trainer::rate() const {
  return rule_.mean_rate(phi_.mean(phi_.index("learning_rate")), xi_);
}

RunSummary train(Problem& problem,
                 const UpdateRule& rule,
                 Tuner& tuner,
                 const TrainOptions& options,
                 const std::vector<Observer*>& observers) {
  Trainer trainer(problem, rule, tuner, options, observers);
  trainer.advance_to(options.steps);
  return trainer.conclude();
}

}  // namespace apo
