// An experiment: every configuration key with its default.
#pragma once

#include <cstdint>
#include <string>

#include "apo/model/module_network.h"
#include "apo/problem/toy.h"
#include "apo/run/sections.h"

namespace apo {

/// One run. A grid is several of these.
struct Experiment {
  Experiment();
  std::string name;
  int64_t seed = 0;
  std::string device = "auto";
  int64_t threads = 0;
  Precision precision = Precision::float32;
  bool deterministic = false;
  ChoiceOf<Problem, const ProblemSetting&> problem;
  DatasetSection dataset;
  ModelSection model;
  ChoiceOf<Loss> loss;
  ChoiceOf<Tuner> tuner;
  OptimizerSection optimizer;
  TrainSection train;
  TraceSection trace;
  void visit(OptionVisitor& visitor);
  /// Whether `dataset`, `model` and `loss` describe the problem.
  bool is_supervised() const;
  /// Whether it is several runs that copy each other.
  bool is_population() const;
  /// `threads`, or where that is 0 as many as there are cores.
  int64_t threads_to_use() const;

 private:
  /// Why tuner.tune does not fit the optimizer, or "".
  std::string not_tunable() const;
  /// Of the numbers that go into single precision.
  void require_float32(OptionVisitor& visitor) const;
  /// Why tuner.bounds does not fit what is tuned, or "".
  std::string bad_bounds() const;
};

/// All that a configuration accepts, with the section `grid`, which is no option of a run: grid.h
/// of config/ takes it apart before.
SectionDescription describe_experiment();

}  // namespace apo
