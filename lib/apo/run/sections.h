// The sections of an experiment: the keys of each with their defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apo/config/describe.h"
#include "apo/data/dataset.h"
#include "apo/data/stream.h"
#include "apo/model/model.h"
#include "apo/schedule/schedule.h"
#include "apo/train/population.h"
#include "apo/train/trainer.h"
#include "apo/tuning/tuner.h"
#include "apo/update/update_rule.h"

namespace apo {

struct DatasetSection {
  DatasetSection();
  ChoiceOf<Dataset, const DataRequest&> choice;
  std::string root;  ///< default: $APO_DATA_ROOT, else "data"
  int64_t batch_size = 100;
  Augmentation augmentation = Augmentation::none;
  int64_t train_examples = 0;
  int64_t test_examples = 0;
  double validation_share = 0;
  void visit(OptionVisitor& visitor);
};

struct ModelSection {
  ModelSection();
  ChoiceOf<Model, const ModelShape&> choice;
  std::string weights;
  bool partial = false;
  bool new_head = false;
  std::vector<std::string> freeze;
  bool batch_norm_sync = false;
  void visit(OptionVisitor& visitor);
};

struct OptimizerSection {
  OptimizerSection();
  ChoiceOf<UpdateRule, const RuleSetting&> choice;
  std::optional<double> learning_rate;  ///< nullopt: auto
  double weight_decay = 0;
  WeightDecay weight_decay_form = WeightDecay::automatic;
  double clip_norm = 0;
  double clip_outliers = 0;
  ChoiceOf<Schedule> schedule;
  void visit(OptionVisitor& visitor);
  /// Sets what depends on the tuner: the first rate, the schedule, and whether outliers are
  /// clipped.
  void take_defaults(const TunerTraits& tuner);
};

struct TrainSection {
  enum class OnDivergence { stop, rollback };
  enum class CudaGraph { automatic, off };
  int64_t epochs = 0;
  int64_t steps = 0;
  int64_t evaluate_every = 1;
  int64_t patience = 0;
  TrainMetrics train_metrics = TrainMetrics::running;
  AverageOptions average;
  int64_t checkpoint_every = 1;
  int64_t keep_checkpoints = 2;
  OnDivergence on_divergence = OnDivergence::stop;
  double rollback_factor = 2;
  int64_t rollback_limit = 3;
  CudaGraph cuda_graph = CudaGraph::automatic;
  double rank_patience = 600;
  PbtOptions population;
  void visit(OptionVisitor& visitor);
};

struct TraceSection {
  int64_t every = 1;
  int64_t meta_every = 1;
  bool tensorboard = false;
  void visit(OptionVisitor& visitor);
};

}  // namespace apo
