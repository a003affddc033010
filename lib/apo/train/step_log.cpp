#include "apo/train/step_log.h"

#include <cmath>

namespace apo {
namespace {

constexpr size_t kStepsInFlight = 50;

}  // namespace

StepLog::StepLog(std::vector<Observer*> observers, bool on_host)
    : observers_(std::move(observers)), capacity_(on_host ? 1 : kStepsInFlight) {}

void StepLog::push(StepNumbers numbers) {
  numbers.loss = numbers.loss.detach();
  pending_.push_back(std::move(numbers));
  if (pending_.size() >= capacity_) fetch();
}

void StepLog::fetch() {
  TensorList scalars;
  for (const StepNumbers& numbers : pending_) {
    scalars.push_back(numbers.loss);
    scalars.push_back(numbers.learning_rate);
    if (numbers.correct.defined()) scalars.push_back(numbers.correct);
  }
  const std::vector<double> values = to_doubles(scalars);
  size_t next = 0;
  for (const StepNumbers& numbers : pending_) {
    const StepRecord record{numbers.step, values[next], values[next + 1]};
    next += 2;
    const bool has_classes = numbers.correct.defined();
    const double correct = has_classes ? values[next++] : 0;
    if (diverged_) continue;
    for (Observer* observer : observers_) observer->on_step(record);
    if (!std::isfinite(record.loss)) {
      diverged_ = record;
      continue;
    }
    sum_up(record.loss, correct, numbers.examples, has_classes);
  }
  pending_.clear();
}

void StepLog::sum_up(double loss, double correct, int64_t examples, bool has_classes) {
  loss_sum_ += loss * static_cast<double>(examples);
  correct_sum_ += correct;
  examples_ += examples;
  has_classes_ = has_classes;
}

void StepLog::visit_state(StateVisitor& visitor) {
  visitor.real("loss_sum", loss_sum_);
  visitor.real("correct_sum", correct_sum_);
  visitor.integer("examples", examples_);
  visitor.flag("has_classes", has_classes_);
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
