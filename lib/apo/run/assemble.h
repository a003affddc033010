// From a configuration to the objects of a run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/data/stream.h"
#include "apo/run/data_mark.h"
#include "apo/run/experiment.h"
#include "apo/train/population.h"

namespace apo {

/// All that one run trains with.
struct Assembly {
  at::Device device = at::kCPU;
  int64_t threads = 1;
  int64_t parameters = 0;
  int64_t data_bytes = 0;
  int64_t mapped_bytes = 0;     ///< of the data that are read from a file, batch by batch
  DataMark data;                ///< zeros for a toy
  ModelShape shape;             ///< of the model, where there is one
  Normalisation normalisation;  ///< of the pictures, as it sees them
  std::map<std::string, std::string> about;  ///< Dataset::about
  std::vector<std::string> notes;            ///< what is to be said of its parameters, a line each
  std::unique_ptr<Problem> problem;
  std::unique_ptr<UpdateRule> rule;
  std::unique_ptr<Tuner> tuner;
  TrainOptions options;
};

/// The device that `word` names; `auto` takes the first GPU where there is one, and of several
/// ranks on a machine each the next. Throws Error(config) where the device does not exist or this
/// build cannot use it.
at::Device resolve_device(const std::string& word, const Group& group = alone());

/// One run of a population: the experiment with a seed and an initial rate of its own.
struct PlannedMember {
  int64_t seed = 0;
  double learning_rate = 0;
};

/// The members that the experiment asks for; none where it is a single run.
std::vector<PlannedMember> population_of(const Experiment& experiment);
/// From which the initial rates are drawn.
Range initial_range(const Experiment& experiment);

/// Of one example, and of its outputs.
ModelShape shape_of(const Dataset& dataset);
/// The data set of the experiment with its validation set. Throws Error(data), Error(config).
std::unique_ptr<Dataset> load_dataset(const Experiment& experiment);

/// Loads the data, builds the model from the seed or its weights, makes the rest: for the run, or
/// with one copy of the data for each member of a population, or `member` alone. Throws Error:
/// config (what cannot be together), data.
/// The group divides batches among its ranks and must outlive what it trains.
std::vector<Assembly> assemble(const Experiment& experiment,
                               Group& group = alone(),
                               std::optional<size_t> member = {});

}  // namespace apo
