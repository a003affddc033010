#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include "apo/problem/toy.h"

namespace apo {
namespace {

/// A quadratic that every step sees with another centre: the toy of the short-horizon bias.
///     f(x) = s xᵀ H x, f̃(x) = s (x − c)ᵀ H (x − c), cᵢ from N(0, 1/hᵢ);  optimum: f(0) = 0
/// H diagonal, hᵢ evenly from lowest_curvature to 1; s = ½ halved, else 1, as the paper prints it.
/// The outputs are the parameters, [1, n]. Evaluation reports f, steps f̃.
/// Source: Schaul et al. 2013; Wu et al. 2018; APO paper, Appendix F.
class NoisyQuadratic : public Loss {
 public:
  NoisyQuadratic(Tensor curvature, double scale)
      : curvature_(std::move(curvature)), scale_(scale) {}

  Tensor value(const Tensor& z, const Batch& x) const override {
    return scale_ * (curvature_ * (z - x.targets).square()).sum(1).mean();
  }

 private:
  Tensor curvature_;  // h
  double scale_;      // s
};

}  // namespace

void NoisyQuadraticOptions::visit(OptionVisitor& visitor) {
  visitor.integer("dimension", dimension, Range::between(1, 1e8), "n");
  visitor.real("lowest_curvature",
               lowest_curvature,
               {.lower = 0, .upper = 1, .lower_open = true},
               "the least hᵢ; the greatest is 1");
  visitor.real("start", start, Range::any(), "every xᵢ to begin with");
  visitor.flag("noise", noise, "whether each step sees another centre");
  visitor.flag("halved", halved, "f = ½ xᵀ H x, else xᵀ H x");
}

std::unique_ptr<Problem> make_noisy_quadratic(const NoisyQuadraticOptions& options,
                                              const ProblemSetting& setting) {
  const at::TensorOptions as = tensor_options(setting);
  const int64_t n = options.dimension;
  const double s = options.halved ? 0.5 : 1;
  const Tensor h = at::linspace(options.lowest_curvature, 1, n, at::kDouble).to(as);
  const auto draw = [=, noise = options.noise](at::Generator& generator) -> Batch {
    if (!noise) return {{}, at::zeros({1, n}, as)};
    return {{}, at::randn({1, n}, generator, at::kDouble).to(as) / h.sqrt()};
  };
  return make_toy(setting,
                  make_point(at::full({n}, options.start, at::kDouble).to(as)),
                  std::make_unique<NoisyQuadratic>(h, s),
                  draw,
                  [=](const TensorList& theta) { return s * (h * theta[0].square()).sum(); });
}

}  // namespace apo
