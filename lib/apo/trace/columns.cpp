#include "apo/trace/columns.h"

#include <limits>

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();  // written as null

const char* name_of(RunStatus status) {
  switch (status) {
    case RunStatus::finished:
      return "finished";
    case RunStatus::diverged:
      return "diverged";
    case RunStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

Json to_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json to_json(const std::optional<Metrics>& metrics) {
  if (!metrics) return nullptr;
  return {{"loss", metrics->loss}, {"accuracy", to_json(metrics->accuracy)}};
}

}  // namespace

void TraceColumns::on_step(const StepRecord& record) {
  steps_.step.push_back(record.step);
  steps_.loss.push_back(record.loss);
  steps_.learning_rate.push_back(record.learning_rate);
}

void TraceColumns::on_meta(const MetaRecord& record,
                           const std::vector<HyperparameterRecord>& values) {
  meta_.step.push_back(record.step);
  meta_.objective.push_back(record.objective);
  meta_.loss_term.push_back(record.loss_term);
  meta_.discrepancy.push_back(record.discrepancy);
  meta_.skipped += record.skipped;
  if (names_.empty()) {
    for (const HyperparameterRecord& value : values) names_.push_back(value.name);
    gradients_.resize(names_.size());
    values_.resize(names_.size());
  }
  size_t column = 0;
  for (const auto& groups : record.gradient) {
    for (const double gradient : groups) {
      gradients_[column].push_back(gradient);
      values_[column].push_back(values[column].value);
      ++column;
    }
  }
}

void TraceColumns::on_epoch(const EpochRecord& record) {
  epochs_.epoch.push_back(record.epoch);
  epochs_.step.push_back(record.step);
  epochs_.train_loss.push_back(record.train.loss);
  epochs_.train_accuracy.push_back(record.train.accuracy.value_or(kAbsent));
  epochs_.test_loss.push_back(record.test ? record.test->loss : kAbsent);
  epochs_.test_accuracy.push_back(record.test ? record.test->accuracy.value_or(kAbsent) : kAbsent);
  epochs_.learning_rate.push_back(record.learning_rate);
  epochs_.wall_seconds.push_back(record.wall_seconds);
}

nlohmann::ordered_json TraceColumns::to_json() const {
  Json gradient = Json::object();
  Json hyperparameters = Json::object();
  for (size_t k = 0; k < names_.size(); ++k) {
    gradient[names_[k]] = gradients_[k];
    hyperparameters[names_[k]] = {{"step", meta_.step}, {"value", values_[k]}};
  }
  return {{"steps",
           {{"step", steps_.step}, {"loss", steps_.loss}, {"learning_rate", steps_.learning_rate}}},
          {"meta",
           {{"step", meta_.step},
            {"objective", meta_.objective},
            {"loss_term", meta_.loss_term},
            {"discrepancy", meta_.discrepancy},
            {"gradient", gradient},
            {"skipped", meta_.skipped}}},
          {"epochs",
           {{"epoch", epochs_.epoch},
            {"step", epochs_.step},
            {"train_loss", epochs_.train_loss},
            {"train_accuracy", epochs_.train_accuracy},
            {"test_loss", epochs_.test_loss},
            {"test_accuracy", epochs_.test_accuracy},
            {"learning_rate", epochs_.learning_rate},
            {"wall_seconds", epochs_.wall_seconds}}},
          {"hyperparameters", hyperparameters}};
}

nlohmann::ordered_json to_json(const RunSummary& summary) {
  return {
      {"status", name_of(summary.status)},
      {"message", summary.message},
      {"epochs", summary.epochs},
      {"steps", summary.steps},
      {"final", {{"train", to_json(summary.final_train)}, {"test", to_json(summary.final_test)}}},
      {"best",
       {{"train_loss", to_json(summary.best_train_loss)},
        {"test_accuracy", to_json(summary.best_test_accuracy)}}},
      {"learning_rate", summary.final_learning_rate},
      {"wall_seconds", summary.wall_seconds},
      {"steps_per_second", summary.steps_per_second},
      {"meta_share", summary.meta_share},
      {"meta_skipped", summary.meta_skipped},
      {"peak_memory_bytes", summary.peak_memory_bytes}};
}

}  // namespace apo
