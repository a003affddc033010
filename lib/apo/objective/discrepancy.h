// The family of discrepancies D(z′, z): how much an update moves the network's outputs.
#pragma once

#include <memory>

#include "apo/base/registry.h"
#include "apo/base/tensors.h"
#include "apo/loss/loss.h"

namespace apo {

/// The training loss as a function of the outputs on one batch.
struct OutputLoss {
  const Loss& loss;
  const Batch& x;

  /// z: [B, …, outputs] → the mean, a scalar.
  Tensor operator()(const Tensor& z) const { return loss.value(z, x); }
  /// The mean of what is given for each position, by the batch's weights.
  Tensor mean(const Tensor& values) const { return weighted_mean(values, x); }
};

class Discrepancy {
 public:
  virtual ~Discrepancy() = default;
  /// Whether z must be log-probabilities of classes.
  virtual bool needs_classes() const { return false; }
  /// The mean of the discrepancy of a position, a scalar that is 0 for z′ = z.
  /// z′, z: [B, …, outputs]; differentiable in z′. `loss` is that of the same batch.
  virtual Tensor operator()(const Tensor& z_next,
                            const Tensor& z,
                            const OutputLoss& loss) const = 0;
};

std::unique_ptr<Discrepancy> make_squared_euclidean(const NoOptions&);
std::unique_ptr<Discrepancy> make_bregman(const NoOptions&);
std::unique_ptr<Discrepancy> make_kl(const NoOptions&);
std::unique_ptr<Discrepancy> make_second_order(const NoOptions&);

const Registry<Discrepancy>& discrepancies();

/// ∇_z loss(z), of z's shape, detached; also where gradients are off.
Tensor output_gradient(const OutputLoss& loss, const Tensor& z);

}  // namespace apo
