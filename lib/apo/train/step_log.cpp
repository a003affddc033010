#include "apo/train/step_log.h"

#include <algorithm>
#include <cmath>

namespace apo {
namespace {

/// Steps and meta steps.
constexpr size_t kInFlight = 50;
/// A run with more than this share of ruined steps has diverged. A constant guess is right for one
/// example in two where there are two classes, so that at batches of one half the losses are small.
constexpr double kRuinedShare = 1.0 / 3;

/// The sign of NaN says nothing, and would be printed.
double without_sign_of_nan(double value) {
  return std::isnan(value) ? std::abs(value) : value;
}

}  // namespace

StepLog::StepLog(std::vector<Observer*> observers, std::vector<std::string> tuned, bool on_host)
    : observers_(std::move(observers)), tuned_(std::move(tuned)), on_host_(on_host) {}

void StepLog::push_step(int64_t step, int64_t examples, const Packed<StepTerms>& terms) {
  push(BaseStep{step, examples, on_host_ ? terms : terms.clone()});
}

void StepLog::push_meta(int64_t step, const Packed<MetaTerms>& terms, const TensorList& values) {
  push(MetaStep{step, on_host_ ? terms : terms.clone(), on_host_ ? values : clone(values)});
}

void StepLog::push(Pending pending) {
  pending_.push_back(std::move(pending));
  if (on_host_ || pending_.size() >= kInFlight) fetch();
}

TensorList StepLog::tensors_of(const Pending& pending) {
  if (const auto* base = std::get_if<BaseStep>(&pending)) return base->terms.tensors();
  const auto& meta = std::get<MetaStep>(pending);
  TensorList tensors = meta.terms.tensors();
  tensors.insert(tensors.end(), meta.values.begin(), meta.values.end());
  return tensors;
}

void StepLog::fetch() {
  TensorList tensors;
  for (const Pending& pending : pending_) {
    const TensorList more = tensors_of(pending);
    tensors.insert(tensors.end(), more.begin(), more.end());
  }
  const std::vector<double> numbers = to_doubles(tensors);
  const double* next = numbers.data();
  for (size_t i = 0; i < pending_.size() && !diverged_; ++i) {
    std::visit([&](const auto& pending) { tell(pending, next); }, pending_[i]);
  }
  pending_.clear();
}

void StepLog::tell(const BaseStep& base, const double*& next) {
  const StepTerms<Numbers> terms = base.terms.read(next);
  StepRecord record{base.step,
                    without_sign_of_nan(terms.loss.front()),
                    without_sign_of_nan(terms.learning_rate.front())};
  if (terms.learned_rate) record.learned_rate = terms.learned_rate->front();
  for (Observer* observer : observers_) observer->on_step(record);
  if (!std::isfinite(record.loss)) {
    diverged_ = record;
    return;
  }
  has_classes_ = terms.correct.has_value();
  loss_sum_ += record.loss * static_cast<double>(base.examples);
  correct_sum_ += has_classes_ ? terms.correct->front() : 0;
  examples_ += base.examples;
  last_ = record;
  if (record.step == 0) untrained_loss_ = std::max(chance_, record.loss);
  const auto seen = static_cast<double>(std::min(record.step + 1, window_));
  const double ruined = record.loss > factor_ * untrained_loss_ ? 1 : 0;
  ruined_share_ += (ruined - ruined_share_) / seen;
}

void StepLog::judge_by(double chance, double factor, int64_t window) {
  chance_ = chance;
  factor_ = factor;
  window_ = window;
}

bool StepLog::looks_ruined() const {
  return ruined_share_ > kRuinedShare;
}

void StepLog::judge(bool at_end) {
  const bool too_early = last_.step + 1 < window_ && !at_end;
  if (!looks_ruined() || too_early) return;
  diverged_ = last_;
  diverged_->loss = loss_sum_ / static_cast<double>(examples_);
}

void StepLog::tell(const MetaStep& meta, const double*& next) {
  const MetaTerms<Numbers> terms = meta.terms.read(next);
  MetaRecord record{.step = meta.step,
                    .objective = terms.objective.front(),
                    .loss_term = terms.loss_term.front(),
                    .discrepancy = terms.discrepancy.front(),
                    .gradient = {},
                    .skipped = terms.skipped.front() != 0};
  skipped_ += record.skipped;
  for (const Numbers& of : terms.gradient) record.gradient.emplace_back(of.begin(), of.end());
  std::vector<HyperparameterRecord> values;
  values.reserve(tuned_.size());
  for (const std::string& name : tuned_) values.push_back({name, meta.step, *next++});
  for (Observer* observer : observers_) observer->on_meta(record, values);
}

void StepLog::visit_state(StateVisitor& visitor) {
  visitor.integer("skipped", skipped_);
  visitor.real("loss_sum", loss_sum_);
  visitor.real("correct_sum", correct_sum_);
  visitor.integer("examples", examples_);
  visitor.flag("has_classes", has_classes_);
  visitor.real("untrained_loss", untrained_loss_);
  visitor.real("ruined_share", ruined_share_);
  visitor.integer("judged_steps", window_);
  visitor.integer("last_step", last_.step);
  visitor.real("last_learning_rate", last_.learning_rate);
  StepRecord bad = diverged_.value_or(StepRecord{});
  bool diverged = diverged_.has_value();
  visitor.flag("diverged", diverged);
  visitor.integer("diverged_step", bad.step);
  visitor.real("diverged_loss", bad.loss);
  visitor.real("diverged_learning_rate", bad.learning_rate);
  diverged_ = diverged ? std::optional(bad) : std::nullopt;
  if (visitor.restores()) pending_.clear();
}

Metrics StepLog::take_running_metrics() {
  const auto count = static_cast<double>(examples_);
  Metrics metrics{loss_sum_ / count, std::nullopt};
  if (has_classes_) metrics.accuracy = correct_sum_ / count;
  loss_sum_ = correct_sum_ = 0;
  examples_ = 0;
  return metrics;
}

}  // namespace apo
