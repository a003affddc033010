// What a run tells those who watch it: traces, the console, tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/group.h"
#include "apo/problem/problem.h"
#include "apo/tuning/tuner.h"

namespace apo {

/// `loss` is the batch loss at the parameters before step `step`; `learning_rate` the η used by it,
/// `learned_rate` what the tuner had decided, where a schedule makes another of it.
struct StepRecord {
  int64_t step = 0;
  double loss = 0;
  double learning_rate = 0;
  std::optional<double> learned_rate = {};
};

/// One meta step.
struct MetaRecord {
  int64_t step = 0;
  double objective = 0;
  double loss_term = 0;
  double discrepancy = 0;
  /// ∂J/∂(stored φ): [k][group] for the k-th tuned hyperparameter.
  std::vector<std::vector<double>> gradient;
  /// The meta-optimizer did not see this gradient: the step counted as too large.
  bool skipped = false;
};

/// A tuned hyperparameter after a meta step. `name` carries "/<layer>" where there is one per
/// layer.
struct HyperparameterRecord {
  std::string name;
  int64_t step = 0;
  double value = 0;
};

/// What the averaged weights reach, of the parts that were measured.
struct AverageMetrics {
  std::optional<Metrics> train;
  std::optional<Metrics> test;
};

/// `step` counts the steps taken when the epoch ended; the rates are those of the last of them.
/// wall_seconds is training time without evaluation.
struct EpochRecord {
  int64_t epoch = 0;
  int64_t step = 0;
  Metrics train;
  std::optional<Metrics> test;
  double learning_rate = 0;
  double wall_seconds = 0;
  std::optional<double> learned_rate = {};
  bool has_validation = false;  ///< whether there is such a set
  std::optional<Metrics> validation = {};
  std::optional<AverageMetrics> average = {};  ///< where there is one
  std::optional<double> meta_share = {};       ///< of wall_seconds
};

/// The run diverged at step `step` and goes on from step `to_step`, with a smaller η.
struct RollbackRecord {
  int64_t step = 0;
  int64_t to_step = 0;
  double learning_rate = 0;
};

/// What a tuner shows that a person should know; once for each kind in a run.
struct WarningRecord {
  std::string kind;  ///< at_bound, unmoved, runs_away, discrepancy
  int64_t step = 0;
  std::string message;
};

enum class RunStatus { finished, diverged, interrupted };

struct RunSummary {
  RunStatus status = RunStatus::finished;
  std::string message;
  int64_t epochs = 0;
  int64_t steps = 0;
  std::optional<Metrics> final_train;
  std::optional<Metrics> final_test;
  std::optional<Metrics> final_validation;
  std::optional<Metrics> best_validation;       ///< of the epoch that counts as best
  std::optional<AverageMetrics> final_average;  ///< where there is one
  std::optional<double> best_train_loss;
  std::optional<double> best_test_accuracy;
  double final_learning_rate = 0;
  std::optional<double> final_learned_rate;
  double wall_seconds = 0;
  double steps_per_second = 0;
  double meta_share = 0;  ///< of wall_seconds
  int64_t meta_skipped = 0;
  int64_t peak_memory_bytes = 0;
  int64_t ranks = 1;
  Traffic traffic;  ///< of the first rank, in this process
};

/// Records arrive in order, on the training thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_step(const StepRecord&) {}
  virtual void on_meta(const MetaRecord&, const std::vector<HyperparameterRecord>&) {}
  virtual void on_search(const SearchRecord&) {}
  virtual void on_epoch(const EpochRecord&) {}
  virtual void on_rollback(const RollbackRecord&) {}
  virtual void on_warning(const WarningRecord&) {}
  /// From base step `step` on the tuner leaves φ as it is.
  virtual void on_freeze(int64_t /*step*/) {}
  virtual void on_end(const RunSummary&) {}
};

}  // namespace apo
