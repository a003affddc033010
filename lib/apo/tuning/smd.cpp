#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>

#include "apo/problem/hessian.h"
#include "apo/tuning/tuner.h"

namespace apo {
namespace {

/// Where gains stay: one of zero never comes back.
constexpr double kSmallestGain = 1e-30;

/// Stochastic meta-descent: every weight has a learning rate of its own, its gain, which follows
/// the derivative of the loss through all past updates, forgotten by λ.
///     p ← p ∘ max(ϱ, 1 − μ g ∘ v)
///     θ ← θ − p ∘ g
///     v ← λ v − p ∘ (g + λ H v)
/// p: gains, from η; v ≈ ∂θ/∂ln p, from 0; H: the Hessian of the batch's loss at θ before the step.
/// Source: Schraudolph 1999, with the gradient g in place of its δ = −g.
/// Differs: with weight decay w, g and H are those of the loss plus ½ w ‖θ‖².
class Smd : public Tuner {
 public:
  explicit Smd(const SmdOptions& options) : options_(options) {}

  std::vector<std::string> tuned() const override { return {"learning_rate"}; }
  std::string remedy() const override { return "a smaller tuner.meta_rate"; }

  std::optional<MetaStep> before_step(const StepContext& context, Hyperparameters& phi) override {
    const size_t eta = phi.index("learning_rate");
    const at::NoGradGuard no_grad;
    const TensorList curved = begin_or_multiply(context, phi.specs()[eta].initial);
    for (size_t i = 0; i < p_.size(); ++i) {
      const Tensor& g = context.g[i];
      p_[i].mul_((1 - options_.meta_rate * g * v_[i]).clamp_min(options_.floor));
      p_[i].clamp_min_(kSmallestGain);
      v_[i].mul_(options_.decay).sub_(p_[i] * (g + options_.decay * curved[i]));
    }
    phi.set_elementwise(eta, p_);
    return std::nullopt;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.tensors("p", p_);
    visitor.tensors("v", v_);
  }

 private:
  /// H v; at the first step v = 0, and so is H v.
  TensorList begin_or_multiply(const StepContext& context, double initial_rate) {
    if (!p_.empty()) {
      return with_coupled_decay(
          v_, hessian_vector_product(context.problem, context.x, v_), context.rule.coupled_decay());
    }
    v_ = zeros_like(context.problem.network->parameters());
    for (const Tensor& zero : v_) p_.push_back(at::full_like(zero, initial_rate));
    return v_;
  }

  SmdOptions options_;
  TensorList p_;
  TensorList v_;
};

}  // namespace

void SmdOptions::visit(OptionVisitor& visitor) {
  visitor.real("meta_rate",
               meta_rate,
               Range::at_least(0),
               "μ, of the gains; of the order of the inverse of g ∘ v, and v explodes where it is "
               "too large");
  visitor.real(
      "decay", decay, {.lower = 0, .upper = 1}, "λ, how long the past counts; 1: for ever");
  visitor.real("floor",
               floor,
               {.lower = 0, .upper = 1, .lower_open = true, .upper_open = true},
               "ϱ, the least factor of a gain in one step");
}

std::unique_ptr<Tuner> make_smd(const SmdOptions& options) {
  return std::make_unique<Smd>(options);
}

}  // namespace apo
