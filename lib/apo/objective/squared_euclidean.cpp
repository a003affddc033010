#include <ATen/TensorOperators.h>

#include "apo/objective/discrepancy.h"

namespace apo {
namespace {

/// The squared Euclidean distance of the outputs.
///     D(z′, z) = ‖z′ − z‖²
/// Source: APO paper, Eq. 7.
class SquaredEuclidean : public Discrepancy {
 public:
  Tensor operator()(const Tensor& z_next, const Tensor& z, const OutputLoss& loss) const override {
    return loss.mean((z_next - z).square().sum(-1));
  }
};

}  // namespace

std::unique_ptr<Discrepancy> make_squared_euclidean(const NoOptions&) {
  return std::make_unique<SquaredEuclidean>();
}

}  // namespace apo
