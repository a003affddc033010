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

void Scores::note(const EpochRecord& record) {
  const double loss = record.train.loss;
  epochs_ = record.epoch;
  final_train_ = record.train;
  score_ = record.train.accuracy ? std::nullopt : std::optional(-loss);
  best_train_loss_ = std::min(best_train_loss_.value_or(loss), loss);
  if (!record.test) return;
  final_test_ = record.test;
  const auto accuracy = record.test->accuracy;
  if (!accuracy) return;
  score_ = accuracy;
  best_test_accuracy_ = std::max(best_test_accuracy_.value_or(*accuracy), *accuracy);
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
}

}  // namespace apo
