// Random streams: each use has a generator of its own, so that no part of a run consumes another's
// numbers.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>

namespace apo {

enum class RandomStream : uint64_t {
  model,                ///< initial parameters
  training_batches,     ///< order and augmentation of x
  discrepancy_batches,  ///< order and augmentation of x̃
  synthetic_data,
  fisher_targets,      ///< drawn from the predictions
  population,          ///< initial rates, whom to copy, how to explore
  toy_data,            ///< the matrix, the examples and the start of a toy
  statistics_batches,  ///< from which batch statistics are estimated anew
  validation_split,    ///< which training examples are held out
  network,             ///< what forward passes draw, such as dropout's masks
};

/// A CPU generator that depends only on the arguments; `part` separates epochs and the like.
at::Generator make_generator(uint64_t seed, RandomStream stream, uint64_t part = 0);

}  // namespace apo
