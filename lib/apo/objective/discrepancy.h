// The family of discrepancies D(z′, z): how much an update moves the network's outputs.
#pragma once

#include <functional>
#include <memory>

#include "apo/base/registry.h"
#include "apo/base/tensors.h"

namespace apo {

/// The training loss as a function of the outputs on a batch: [B, outputs] → batch mean, a scalar.
using OutputLoss = std::function<Tensor(const Tensor& z)>;

class Discrepancy {
 public:
  virtual ~Discrepancy() = default;
  /// Whether z must be log-probabilities of classes.
  virtual bool needs_classes() const { return false; }
  /// The batch mean of the per-example discrepancy, a scalar that is 0 for z′ = z.
  /// z′, z: [B, outputs]; differentiable in z′. `loss` is that of the same batch.
  virtual Tensor operator()(const Tensor& z_next,
                            const Tensor& z,
                            const OutputLoss& loss) const = 0;
};

std::unique_ptr<Discrepancy> make_squared_euclidean(const NoOptions&);
std::unique_ptr<Discrepancy> make_bregman(const NoOptions&);
std::unique_ptr<Discrepancy> make_kl(const NoOptions&);
std::unique_ptr<Discrepancy> make_second_order(const NoOptions&);

const Registry<Discrepancy>& discrepancies();

/// ∇_z loss(z), [B, outputs], detached; also where gradients are off.
Tensor output_gradient(const OutputLoss& loss, const Tensor& z);

}  // namespace apo
