// Classification of a data set's pictures by a model, with the softmax cross-entropy as loss.
#pragma once

#include <memory>
#include <optional>

#include "apo/data/dataset.h"
#include "apo/data/stream.h"
#include "apo/problem/problem.h"

namespace apo {

class Model;

/// How numbers are held in training. bfloat16: forward passes under autocast, parameters and losses
/// in float32.
enum class Precision { float32, tf32, bfloat16, float64 };

/// Examples in a batch of an evaluation, before each of which `interrupted` is polled.
inline constexpr int64_t kEvaluationBatch = 500;

struct SupervisedOptions {
  int64_t batch_size = 100;
  int64_t discrepancy_batch_size = 0;  ///< 0: batch_size
  Augmentation augmentation = Augmentation::none;
  uint64_t seed = 0;
  Precision precision = Precision::float32;
  at::Device device = at::kCPU;
  /// nullopt: by the training set's channel statistics.
  std::optional<Normalisation> normalisation = {};
};

/// Takes the data set to the device whole and normalises it.
/// Errors: none of its own; running out of memory is LibTorch's exception.
std::unique_ptr<Problem> make_supervised(std::shared_ptr<Model> model,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options);

}  // namespace apo
