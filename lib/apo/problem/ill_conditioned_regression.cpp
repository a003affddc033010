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

/// A two-layer linear network fitted to an ill-conditioned linear map.
///     ℓ = E_x ‖A x − W₂ W₁ x‖², x ∈ ℝ⁶ from N(0, I), A ∈ ℝ¹⁰ˣ⁶, W₁ ∈ ℝ⁶ˣ⁶, W₂ ∈ ℝ¹⁰ˣ⁶
/// A = U S Vᵀ with random orthonormal U, V and singular values from 1 to 1/κ in equal ratios.
/// W₁, W₂ begin with entries from N(0, 1/6). Optimum: W₂ W₁ = A, where ℓ = 0.
/// Without examples each batch is the whole population: √6 · I has the second moment I, so that its
/// mean is ‖A − W₂ W₁‖² in closed form. With them a batch is drawn with replacement.
/// Source: Recht & Rahimi 2017; APO paper, section 5.1.
class IllConditionedRegression : public Toy {
 public:
  IllConditionedRegression(const IllConditionedRegressionOptions& options,
                           const ProblemSetting& setting)
      : IllConditionedRegression(
            options, setting, generator_of(setting.task_seed.value_or(setting.seed))) {}

  Tensor outputs(const Batch& x) override {
    return at::matmul(at::matmul(x.inputs, parameters()[0].t()), parameters()[1].t());
  }
  Tensor loss(const Tensor& z, const Batch& x) override {
    return (z - x.targets).square().sum(1).mean();
  }

 private:
  static at::Generator generator_of(uint64_t seed) {
    return make_generator(seed, RandomStream::toy_data);
  }

  /// W₁, W₂.
  static TensorList start(at::Generator generator) {
    Tensor first = at::randn({kInputs, kInputs}, generator, at::kDouble) / std::sqrt(kInputs);
    Tensor second = at::randn({kOutputs, kInputs}, generator, at::kDouble) / std::sqrt(kInputs);
    return {std::move(first), std::move(second)};
  }

  IllConditionedRegression(const IllConditionedRegressionOptions& options,
                           const ProblemSetting& setting,
                           at::Generator generator)
      : Toy(setting, {"first.weight", "second.weight"}, start(generator_of(setting.seed))),
        batch_size_(options.examples > 0 ? options.batch_size : 0) {
    start(generator);  // the task's numbers come behind those of its own seed's start
    const Tensor u = orthonormal(kOutputs, kInputs, generator);
    const Tensor v = orthonormal(kInputs, kInputs, generator);
    const Tensor s = at::logspace(0, -std::log10(options.condition), kInputs, 10, at::kDouble);
    a_ = at::matmul(u * s, v.t());
    const Tensor inputs = options.examples > 0
                              ? at::randn({options.examples, kInputs}, generator, at::kDouble)
                              : at::eye(kInputs, at::kDouble) * std::sqrt(kInputs);
    data_ = {inputs.to(this->options()), at::matmul(inputs, a_.t()).to(this->options())};
    a_ = a_.to(this->options());
  }

  Batch draw(at::Generator& generator) override {
    if (batch_size_ == 0) return data_;
    const Tensor chosen =
        at::randint(data_.inputs.size(0), {batch_size_}, generator, at::kLong).to(a_.device());
    return {data_.inputs.index_select(0, chosen), data_.targets.index_select(0, chosen)};
  }

  Tensor objective() override {
    return (a_ - at::matmul(parameters()[1], parameters()[0])).square().sum();
  }

  Tensor a_;
  Batch data_;
  int64_t batch_size_;  // 0: the whole population
};

}  // namespace

void IllConditionedRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.real("condition", condition, Range::at_least(1), "κ, of the map to be learned");
  visitor.integer(
      "examples", examples, Range::between(0, 1e8), "in a drawn data set; 0: the whole population");
  visitor.integer("batch_size", batch_size, Range::between(1, 1e8), "examples per step, if drawn");
}

std::unique_ptr<Problem> make_ill_conditioned_regression(
    const IllConditionedRegressionOptions& options, const ProblemSetting& setting) {
  return std::make_unique<IllConditionedRegression>(options, setting);
}

}  // namespace apo
