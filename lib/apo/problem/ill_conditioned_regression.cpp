#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/logspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <cmath>

#include "apo/problem/toy.h"

namespace apo {
namespace {

constexpr int64_t kInputs = 6;
constexpr int64_t kOutputs = 10;

/// [rows, columns] with orthonormal columns.
Tensor orthonormal(int64_t rows, int64_t columns, at::Generator& generator) {
  return std::get<0>(at::linalg_qr(at::randn({rows, columns}, generator, at::kDouble)));
}

/// W₁, W₂.
TensorList start(at::Generator& generator) {
  Tensor first = at::randn({kInputs, kInputs}, generator, at::kDouble) / std::sqrt(kInputs);
  Tensor second = at::randn({kOutputs, kInputs}, generator, at::kDouble) / std::sqrt(kInputs);
  return {std::move(first), std::move(second)};
}

/// A.
Tensor drawn_map(double condition, at::Generator& generator) {
  const Tensor u = orthonormal(kOutputs, kInputs, generator);
  const Tensor v = orthonormal(kInputs, kInputs, generator);
  const Tensor s = at::logspace(0, -std::log10(condition), kInputs, 10, at::kDouble);
  return at::matmul(u * s, v.t());
}

class TwoLinearLayers : public Network {
 public:
  TwoLinearLayers(TensorList weights, const at::TensorOptions& as)
      : Network({{weights[0].to(as).requires_grad_(), weights[1].to(as).requires_grad_()},
                 {"first.weight", "second.weight"}}) {}
  Tensor forward(const Tensor& x) override {
    return at::matmul(at::matmul(x, parameters()[0].t()), parameters()[1].t());
  }
};

}  // namespace

void IllConditionedRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.real("condition", condition, Range::at_least(1), "κ, of the map to be learned");
  visitor.integer(
      "examples", examples, Range::between(0, 1e8), "in a drawn data set; 0: the whole population");
  visitor.integer("batch_size", batch_size, Range::between(1, 1e8), "examples per step, if drawn");
}

/// A two-layer linear network fitted to an ill-conditioned linear map.
///     ℓ = E_x ‖A x − W₂ W₁ x‖², x ∈ ℝ⁶ from N(0, I), A ∈ ℝ¹⁰ˣ⁶, W₁ ∈ ℝ⁶ˣ⁶, W₂ ∈ ℝ¹⁰ˣ⁶
/// A = U S Vᵀ with random orthonormal U, V and singular values from 1 to 1/κ in equal ratios.
/// W₁, W₂ begin with entries from N(0, 1/6). Optimum: W₂ W₁ = A, where ℓ = 0.
/// Without examples each batch is the whole population: √6 · I has the second moment I, so that its
/// mean is ‖A − W₂ W₁‖² in closed form. With them a batch is drawn with replacement.
/// Source: Recht & Rahimi 2017; APO paper, section 5.1.
std::unique_ptr<Problem> make_ill_conditioned_regression(
    const IllConditionedRegressionOptions& options, const ProblemSetting& setting) {
  const at::TensorOptions as = tensor_options(setting);
  at::Generator own = make_generator(setting.seed, RandomStream::toy_data);
  auto network = std::make_unique<TwoLinearLayers>(start(own), as);

  const uint64_t task_seed = setting.task_seed.value_or(setting.seed);
  at::Generator generator = make_generator(task_seed, RandomStream::toy_data);
  start(generator);  // the task's numbers come behind those of its own seed's start
  const Tensor exact = drawn_map(options.condition, generator);
  const Tensor inputs = options.examples > 0
                            ? at::randn({options.examples, kInputs}, generator, at::kDouble)
                            : at::eye(kInputs, at::kDouble) * std::sqrt(kInputs);
  Batch data{inputs.to(as), at::matmul(inputs, exact.t()).to(as)};
  const auto draw = [=](at::Generator& of_batch) -> Batch {
    if (options.examples == 0) return data;
    const int64_t count = data.inputs.size(0);
    const Tensor chosen =
        at::randint(count, {options.batch_size}, of_batch, at::kLong).to(data.inputs.device());
    return {data.inputs.index_select(0, chosen), data.targets.index_select(0, chosen)};
  };
  const auto objective = [a = exact.to(as)](const TensorList& theta) {
    return (a - at::matmul(theta[1], theta[0])).square().sum();
  };
  return make_toy(setting, std::move(network), make_squared_error(), draw, objective);
}

}  // namespace apo
