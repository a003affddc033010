// What a run would need.
#pragma once

#include <cstdint>
#include <string>

#include "apo/run/experiment.h"

namespace apo {

/// Of a grid of `runs`, or where there is but one of its members, `jobs` train at a time, each with
/// an equal share of the threads.
struct Sharing {
  int64_t runs = 1;
  int64_t jobs = 1;
};

/// The experiment with its share of the threads.
Experiment sharing_threads(Experiment experiment, const Sharing& sharing);

/// Everything but training: loads the data, builds the model, times some base and meta steps, the
/// search for the first rate and an evaluation, and returns the lines that say what a run would
/// need, and of a grid the whole. `experiment` has its share of the threads. Writes nothing. Throws
/// Error.
std::string dry_run(const Experiment& experiment, const Sharing& sharing);

}  // namespace apo
