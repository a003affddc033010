#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include "apo/problem/toy.h"

namespace apo {
namespace {

/// The Rosenbrock function, whose minimum lies in a bent valley.
///     f(x, y) = (1 − x)² + 100 (y − x²)²;  optimum: f(1, 1) = 0
/// The outputs are the parameters, [1, 2]; every batch is the same.
/// Source: Rosenbrock 1960; start and use: APO paper, section 5.1 and Appendices D and E.
class Rosenbrock : public Loss {
 public:
  Tensor value(const Tensor& z, const Batch&) const override {
    const Tensor x = z.select(1, 0);
    const Tensor y = z.select(1, 1);
    return ((1 - x).square() + 100 * (y - x.square()).square()).mean();
  }
};

}  // namespace

void RosenbrockOptions::visit(OptionVisitor& visitor) {
  visitor.reals("start", start, Range::any(), "x and y to begin with");
  visitor.require(start.size() == 2, "start", "must be two numbers, [x, y]");
}

std::unique_ptr<Problem> make_rosenbrock(const RosenbrockOptions& options,
                                         const ProblemSetting& setting) {
  const Tensor start = at::tensor(options.start, at::kDouble).to(tensor_options(setting));
  return make_toy(
      setting,
      make_point(start),
      std::make_unique<Rosenbrock>(),
      [](at::Generator&) { return Batch{}; },
      [](const TensorList& theta) { return Rosenbrock().value(theta[0].unsqueeze(0), {}); });
}

}  // namespace apo
