#include "apo/train/scores.h"

#include <algorithm>

namespace apo {

void visit_metrics(const std::string& name,
                   std::optional<Metrics>& metrics,
                   StateVisitor& visitor) {
  std::optional<double> loss = metrics ? std::optional(metrics->loss) : std::nullopt;
  std::optional<double> accuracy = metrics ? metrics->accuracy : std::nullopt;
  visitor.optional(name + "_loss", loss);
  visitor.optional(name + "_accuracy", accuracy);
  metrics = loss ? std::optional(Metrics{*loss, accuracy}) : std::nullopt;
}

namespace {

/// The larger the better.
double score_of(const Metrics& metrics) {
  return metrics.accuracy.value_or(-metrics.loss);
}

}  // namespace

void Scores::note(const EpochRecord& record) {
  const double loss = record.train.loss;
  epochs_ = record.epoch;
  final_train_ = record.train;
  score_ = record.train.accuracy ? std::nullopt : std::optional(-loss);
  best_train_loss_ = std::min(best_train_loss_.value_or(loss), loss);
  if (record.test) {
    final_test_ = record.test;
    const auto accuracy = record.test->accuracy;
    if (accuracy) {
      score_ = accuracy;
      best_test_accuracy_ = std::max(best_test_accuracy_.value_or(*accuracy), *accuracy);
    }
  }
  if (validates_) note_validation(record.validation);
}

void Scores::note_validation(const std::optional<Metrics>& metrics) {
  score_.reset();
  if (!metrics) return;
  score_ = score_of(*metrics);
  final_validation_ = metrics;
  const bool better = !best_validation_ || *score_ > score_of(*best_validation_);
  stale_ = better ? 0 : stale_ + 1;
  if (better) best_validation_ = metrics;
}

bool Scores::is_new_best() {
  if (!score_ || (best_score_ && *score_ <= *best_score_)) return false;
  best_score_ = score_;
  return true;
}

void Scores::report_to(RunSummary& summary) const {
  summary.epochs = epochs_;
  summary.final_train = final_train_;
  summary.final_test = final_test_;
  summary.final_validation = final_validation_;
  summary.best_validation = best_validation_;
  summary.best_train_loss = best_train_loss_;
  summary.best_test_accuracy = best_test_accuracy_;
}

void Scores::visit_state(StateVisitor& visitor) {
  visitor.integer("epochs", epochs_);
  visit_metrics("final_train", final_train_, visitor);
  visit_metrics("final_test", final_test_, visitor);
  visitor.optional("best_train_loss", best_train_loss_);
  visitor.optional("best_test_accuracy", best_test_accuracy_);
  visitor.optional("score", score_);
  visitor.optional("best_score", best_score_);
  if (!validates_) return;
  visit_metrics("final_validation", final_validation_, visitor);
  visit_metrics("best_validation", best_validation_, visitor);
  visitor.integer("stale", stale_);
}

}  // namespace apo
