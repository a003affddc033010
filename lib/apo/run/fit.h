// Whether a network fits its data.
#pragma once

#include <cstdint>
#include <string>

#include "apo/problem/problem.h"
#include "apo/tuning/tuner.h"

namespace apo {

/// Tries the network on one example and on two. model: what messages begin with, its key and value
/// in the configuration; outputs: of a position; classes: 0 where targets are real numbers. Throws
/// Error(config) where it cannot take them, or gives another shape than the loss compares with.
void require_fit(Problem& problem, const std::string& model, int64_t outputs, int64_t classes);

/// Tries the gradient of the loss, of a network that is a program of the user's. Leaves it as it
/// is. Throws Error(config) where there is none, or where a forward pass changes its input.
void require_trainable(Problem& problem, const std::string& model);

/// Examples in a pass, in a batch x and in a batch x̃; of how many parts BatchNorm normalises each
/// by itself.
struct BatchSizes {
  int64_t examples = 0;
  int64_t own = 0;
  int64_t discrepancy = 0;
  int64_t parts = 1;
};

/// Examples in the smallest batch of a pass.
int64_t smallest_batch(int64_t examples, int64_t batch_size);

/// Throws Error(config) where a batch has fewer examples than there are ranks.
void require_examples_for_all(int64_t ranks, const BatchSizes& sizes);

/// Throws Error(config) where a batch of a pass, or a part of it, is one example and BatchNorm has
/// nothing to normalise it by: a network whose last maps are 1 × 1 has one value per channel in
/// such a batch.
void require_batch_statistics(Problem& problem, const BatchSizes& sizes, const TunerTraits& tuner);

}  // namespace apo
