#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// Where η stays, should h ask for less.
constexpr double kSmallestRate = 1e-12;

/// ⟨a, b⟩ over all parameters, a float64 scalar on their device.
Tensor inner_product(const TensorList& a, const TensorList& b) {
  Tensor sum = at::zeros({}, a.front().options().dtype(at::kDouble));
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] * b[i]).sum(at::kDouble);
  return sum;
}

/// Hypergradient descent: the learning rate takes a gradient step on the loss itself, through the
/// last update alone.
///     h_t = g_t · u_{t−1},  u_{t−1} = ∂θ_t/∂η
///     additive:        η_t = η_{t−1} − β h_t
///     multiplicative:  η_t = η_{t−1} (1 − β h_t / (‖g_t‖ ‖u_{t−1}‖))
/// Source: Baydin et al. 2018. For SGD u = −g, so h_t = −g_t · g_{t−1}.
/// Differs: η stays above 1e-12; with weight decay g is the decayed gradient.
class Hypergradient : public Tuner {
 public:
  explicit Hypergradient(const HypergradientOptions& options)
      : Tuner({.tuned = {"learning_rate"},
               .bounds = options.bounds.by_name(),
               .freeze_after = options.freeze_after,
               .remedy = "a smaller tuner.rate"}),
        options_(options) {}

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    const at::NoGradGuard no_grad;
    const size_t eta = phi.index("learning_rate");
    if (!u_.empty()) {
      const Range& range = phi.specs()[eta].range;
      const Tensor next = next_rate(phi.value(eta), context.g);
      phi.set(eta, next.clamp(std::max(kSmallestRate, range.lower), range.upper));
    }
    const TensorList theta = detached(context.problem.network->parameters());
    // Of the formula itself, whose rounding the traces have.
    u_ = context.rule.UpdateRule::rate_derivative({theta, context.g, context.xi}, phi);
    return {};
  }

  void visit_state(StateVisitor& visitor) override { visitor.tensors("u", u_); }

 private:
  Tensor next_rate(const Tensor& eta, const TensorList& g) const {
    const Tensor h = inner_product(g, u_);
    if (options_.form == HypergradientOptions::Form::additive) return eta - options_.rate * h;
    const Tensor squares = inner_product(g, g) * inner_product(u_, u_);
    constexpr double kTiny = std::numeric_limits<double>::min();  // where g or u is 0, so is h
    return eta * (1 - options_.rate * h / squares.sqrt().clamp_min(kTiny));
  }

  HypergradientOptions options_;
  TensorList u_;
};

}  // namespace

void HypergradientOptions::visit(OptionVisitor& visitor) {
  const Form before = form;
  visitor.one_of("form",
                 form,
                 {{"additive", Form::additive}, {"multiplicative", Form::multiplicative}},
                 "η ← η − β h, or η ← η (1 − β h / (‖g‖ ‖u‖)), which knows no scale");
  if (form != before) rate = form == Form::multiplicative ? 0.02 : 1e-3;
  visitor.real(
      "rate",
      rate,
      Range::at_least(0),
      "β, of the step on η; multiplicative: 0.02; additive with adam or rmsprop: try 1e-7");
  visit_freeze_after(freeze_after, visitor);
  bounds.visit(visitor);
}

std::unique_ptr<Tuner> make_hypergradient(const HypergradientOptions& options) {
  return frozen_after(options.freeze_after, std::make_unique<Hypergradient>(options));
}

}  // namespace apo
