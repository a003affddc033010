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

StepLog::StepLog(std::vector<Observer*> observers,
                 std::vector<std::string> tuned,
                 int64_t groups,
                 bool on_host)
    : observers_(std::move(observers)),
      tuned_(std::move(tuned)),
      groups_(static_cast<size_t>(groups)),
      on_host_(on_host) {}

void StepLog::push_step(int64_t step, int64_t examples, const TensorList& numbers) {
  push({step, examples, numbers});
}

void StepLog::push_meta(int64_t step, TensorList numbers, const TensorList& values) {
  numbers.insert(numbers.end(), values.begin(), values.end());
  push({step, 0, std::move(numbers)});
}

void StepLog::push(Pending pending) {
  if (!on_host_) pending.numbers = clone(pending.numbers);
  pending_.push_back(std::move(pending));
  if (on_host_ || pending_.size() >= kInFlight) fetch();
}

void StepLog::fetch() {
  TensorList numbers;
  std::vector<size_t> counts;
  for (const Pending& pending : pending_) {
    counts.push_back(0);
    for (const Tensor& tensor : pending.numbers) counts.back() += tensor.numel();
    numbers.insert(numbers.end(), pending.numbers.begin(), pending.numbers.end());
  }
  const std::vector<double> values = to_doubles(numbers);
  const double* next = values.data();
  for (size_t i = 0; i < pending_.size() && !diverged_; next += counts[i], ++i) {
    if (pending_[i].examples > 0) {
      tell_step(pending_[i], next, counts[i]);
    } else {
      tell_meta(pending_[i].step, next);
    }
  }
  pending_.clear();
}

void StepLog::tell_step(const Pending& pending, const double* numbers, size_t count) {
  const StepRecord record{
      pending.step, without_sign_of_nan(numbers[0]), without_sign_of_nan(numbers[1])};
  for (Observer* observer : observers_) observer->on_step(record);
  if (!std::isfinite(record.loss)) {
    diverged_ = record;
    return;
  }
  const bool has_classes = count > 2;
  sum_up(record.loss, has_classes ? numbers[2] : 0, pending.examples, has_classes);
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

void StepLog::tell_meta(int64_t step, const double* numbers) {
  MetaRecord record{.step = step,
                    .objective = numbers[0],
                    .loss_term = numbers[1],
                    .discrepancy = numbers[2],
                    .gradient = {},
                    .skipped = numbers[3] != 0};
  skipped_ += record.skipped;
  const double* gradient = numbers + 4;
  const double* value = gradient + tuned_.size();
  std::vector<HyperparameterRecord> values;
  for (size_t i = 0; i < tuned_.size(); ++i) {
    if (i % groups_ == 0) record.gradient.emplace_back(gradient + i, gradient + i + groups_);
    values.push_back({tuned_[i], step, value[i]});
  }
  for (Observer* observer : observers_) observer->on_meta(record, values);
}

void StepLog::sum_up(double loss, double correct, int64_t examples, bool has_classes) {
  loss_sum_ += loss * static_cast<double>(examples);
  correct_sum_ += correct;
  examples_ += examples;
  has_classes_ = has_classes;
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
