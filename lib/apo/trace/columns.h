// A run's trace in columns, as trace.json holds it.
#pragma once

#include <nlohmann/json.hpp>

#include "apo/train/observer.h"

namespace apo {

/// Gathers every record and lays them out as docs/trace.md describes.
class TraceColumns : public Observer {
 public:
  void on_step(const StepRecord& record) override;
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override;
  void on_epoch(const EpochRecord& record) override;

  /// {"steps": …, "meta": …, "epochs": …, "hyperparameters": …}. Non-finite values are null.
  nlohmann::ordered_json to_json() const;

 private:
  using Column = std::vector<double>;

  struct {
    std::vector<int64_t> step;
    Column loss, learning_rate;
  } steps_;
  struct {
    std::vector<int64_t> step;
    Column objective, loss_term, discrepancy;
    int64_t skipped = 0;
  } meta_;
  struct {
    std::vector<int64_t> epoch, step;
    Column train_loss, train_accuracy, test_loss, test_accuracy, learning_rate, wall_seconds;
  } epochs_;
  /// In order of first appearance, each with its gradient and its value after every meta step.
  std::vector<std::string> names_;
  std::vector<Column> gradients_;
  std::vector<Column> values_;
};

nlohmann::ordered_json to_json(const RunSummary& summary);

}  // namespace apo
