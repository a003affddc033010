#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apo/base/error.h"
#include "apo/loss/loss.h"

namespace apo {
namespace {

/// ℓ = ‖z − y‖²: −ln p(y|z) of a normal distribution of variance ½ about z, but for a constant.
class SquaredError : public Loss {
 public:
  Tensor value(const Tensor& z, const Batch& x) const override {
    if (z.sizes() != x.targets.sizes()) {  // which a difference would stretch to one another
      throw Error(ErrorKind::config,
                  fmt::format("loss.name = squared_error: the outputs of a batch are [{}] and its "
                              "targets [{}]; accepted: a network whose outputs have the shape of "
                              "the targets",
                              fmt::join(z.sizes(), ", "),
                              fmt::join(x.targets.sizes(), ", ")));
    }
    return weighted_mean((z - x.targets).square().sum(-1), x);
  }
};

}  // namespace

std::unique_ptr<Loss> make_squared_error() {
  return std::make_unique<SquaredError>();
}

}  // namespace apo
