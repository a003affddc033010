#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include "apo/problem/toy.h"

namespace apo {
namespace {

/// The Rosenbrock function, whose minimum lies in a bent valley.
///     f(x, y) = (1 − x)² + 100 (y − x²)²;  optimum: f(1, 1) = 0
/// The outputs are the parameters, [1, 2]; every batch is the same.
/// Source: Rosenbrock 1960; start and use: APO paper, section 5.1 and Appendices D and E.
class Rosenbrock : public Toy {
 public:
  Rosenbrock(const RosenbrockOptions& options, const ProblemSetting& setting)
      : Toy(setting, {"point"}, {at::tensor(options.start, at::kDouble)}) {}

  Tensor outputs(const Batch&) override { return parameters()[0].unsqueeze(0); }
  Tensor loss(const Tensor& z, const Batch&) override {
    const Tensor x = z.select(1, 0), y = z.select(1, 1);
    return ((1 - x).square() + 100 * (y - x.square()).square()).mean();
  }

 private:
  Batch draw(at::Generator&) override { return {}; }
  Tensor objective() override { return loss(outputs({}), {}); }
};

}  // namespace

void RosenbrockOptions::visit(OptionVisitor& visitor) {
  visitor.reals("start", start, Range::any(), "x and y to begin with");
  visitor.require(start.size() == 2, "start", "must be two numbers, [x, y]");
}

std::unique_ptr<Problem> make_rosenbrock(const RosenbrockOptions& options,
                                         const ProblemSetting& setting) {
  return std::make_unique<Rosenbrock>(options, setting);
}

}  // namespace apo
