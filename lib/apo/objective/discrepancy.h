// The family of discrepancies D(z′, z): how much an update moves the network's outputs.
#pragma once

#include <memory>

#include "apo/base/registry.h"
#include "apo/base/tensors.h"

namespace apo {

class Discrepancy {
 public:
  virtual ~Discrepancy() = default;
  /// The batch mean of the per-example discrepancy, a scalar that is 0 for z′ = z.
  /// z′, z: [B, outputs]; differentiable in z′.
  virtual Tensor operator()(const Tensor& z_next, const Tensor& z) const = 0;
};

std::unique_ptr<Discrepancy> make_squared_euclidean(const NoOptions&);

const Registry<Discrepancy>& discrepancies();

}  // namespace apo
