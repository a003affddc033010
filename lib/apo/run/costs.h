// What a run does, how often, and what each of it takes: measured, on the run itself.
#pragma once

#include <cstdint>
#include <vector>

#include "apo/run/assemble.h"

namespace apo {

/// Seconds.
struct Costs {
  double search = 0;  ///< for the first rate, once
  double base_step = 0;
  double meta_step = 0;
  double evaluation = 0;           ///< of the test set
  double training_evaluation = 0;  ///< of the training set
};

/// What happens how often in a run.
struct Counts {
  int64_t steps = 0;
  int64_t meta_steps = 0;
  int64_t evaluations = 0;
  int64_t training_evaluations = 0;
};

/// By the options of the run and its tuner.
Counts counts_of(const Assembly& assembly);

/// Of the first member, of what `counts` has any, with every one in memory, each of which has taken
/// a step. They are of no use for training after it. Takes some seconds.
Costs measure(std::vector<Assembly>& members, const Experiment& experiment, const Counts& counts);

}  // namespace apo
