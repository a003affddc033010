// BatchNorm of a batch that several ranks have parts of.
#pragma once

#include <torch/nn/modules/batchnorm.h>

#include "apo/base/tensors.h"

namespace apo {

class Group;

/// A module whose passes in training mode can normalise by the whole batch.
class SharesStatistics {
 public:
  virtual ~SharesStatistics() = default;
  /// From now on they do, whoever of the group has which part, which all ranks pass at the same
  /// time. The group must outlive the module.
  void share_with(Group& group) { group_ = &group; }

 protected:
  Group* group_ = nullptr;  ///< none: each rank by its own part
};

/// What a BatchNorm layer has: tensors that are none are undefined.
struct BatchNormParts {
  const Tensor& weight;
  const Tensor& bias;
  const Tensor& running_mean;
  const Tensor& running_var;
  const Tensor& num_batches_tracked;
  const torch::nn::BatchNormOptions& options;
};

/// γ (x − μ) / √(σ² + ε) + β, with the mean and the variance of each channel over the parts of all
/// ranks; moves the running statistics. x: [B, C, …], the rank's part. Can be differentiated
/// forwards, and backwards as often as one likes: of the sum over ranks of what they differentiate.
Tensor normalised_by_whole_batch(const Tensor& x, const BatchNormParts& parts, Group& group);

/// LibTorch's layer, to the bit, where no group shares its statistics.
template <class Impl>
class SharedBatchNorm : public Impl, public SharesStatistics {
 public:
  using Impl::Impl;
  Tensor forward(const Tensor& x) {
    if (group_ == nullptr || !this->is_training()) return Impl::forward(x);
    this->_check_input_dim(x);
    return normalised_by_whole_batch(x,
                                     {this->weight,
                                      this->bias,
                                      this->running_mean,
                                      this->running_var,
                                      this->num_batches_tracked,
                                      this->options},
                                     *group_);
  }
};

using BatchNorm1dImpl = SharedBatchNorm<torch::nn::BatchNorm1dImpl>;
using BatchNorm2dImpl = SharedBatchNorm<torch::nn::BatchNorm2dImpl>;
TORCH_MODULE(BatchNorm1d);
TORCH_MODULE(BatchNorm2d);

}  // namespace apo
