// A network and a loss on a data set, such as the classification of its pictures by a model.
#pragma once

#include <memory>

#include "apo/data/dataset.h"
#include "apo/data/stream.h"
#include "apo/model/module_network.h"
#include "apo/problem/problem.h"

namespace apo {

class Model;

struct SupervisedOptions {
  int64_t batch_size = 100;
  int64_t discrepancy_batch_size = 0;  ///< 0: batch_size
  Augmentation augmentation = Augmentation::none;
  uint64_t seed = 0;
  Precision precision = Precision::float32;
  at::Device device = at::kCPU;
  Group* group = &alone();  ///< must outlive the problem
};

/// Any network and loss on a data set, which goes to the device whole, or where it is mapped batch
/// by batch.
/// Errors: none of its own; running out of memory is LibTorch's exception.
std::unique_ptr<Problem> make_supervised(std::unique_ptr<Network> network,
                                         std::unique_ptr<Loss> loss,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options);
/// A model with the plain softmax cross-entropy.
std::unique_ptr<Problem> make_supervised(std::shared_ptr<Model> model,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options);

}  // namespace apo
