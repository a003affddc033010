#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log.h>
#include <ATen/ops/zeros_like.h>

#include "apo/problem/hessian.h"
#include "apo/update/elementwise.h"

namespace apo {
namespace {

/// Where gains stay: one of zero never comes back.
constexpr double kSmallestGain = 1e-30;

/// Stochastic meta-descent: every weight has a learning rate of its own, its gain, which follows
/// the derivative of the loss through all past updates, forgotten by λ.
///     p ← p ∘ max(ϱ, 1 − μ g ∘ v)
///     θ′ = θ − p ∘ g
///     v ← λ v − p ∘ (g + λ H v)
/// p: gains, from η; v ≈ ∂θ/∂ln p, from 0; H: the Hessian of the batch's loss at θ before the step.
/// φ: η learning_rate. Where a rollback has moved it from η₀ the step is that of p η / η₀.
/// Source: Schraudolph 1999, with the gradient g in place of its δ = −g.
/// Differs: with coupled weight decay w, g and H are those of the loss plus ½ w ‖θ‖²; v does not
/// see a decay beside the step.
class Smd : public ElementwiseRule {
 public:
  Smd(const SmdOptions& options, const RuleSetting& setting)
      : ElementwiseRule(kSlots,
                        setting,
                        {.needs_curvature = true,
                         .own_rates = true,
                         .remedy = "a smaller optimizer.meta_rate"}),
        options_(options) {}

  std::vector<HyperparameterSpec> hyperparameters() const override { return {learning_rate()}; }

  Statistics initial_statistics(const TensorList& theta) const override {
    Statistics xi = ElementwiseRule::initial_statistics(theta);
    for (const Tensor& p : xi.slots[kGains]) p.fill_(initial_rate());
    return xi;
  }

  void observe_curvature(Problem& problem, const Batch& x, Statistics& xi) const override {
    const TensorList& v = xi.slots[kTraces];
    xi.slots[kCurved] =
        with_coupled_decay(v, hessian_vector_product(problem, x, v), coupled_decay());
  }

  Tensor mean_rate(const Tensor& eta, const Statistics& xi) const override {
    Tensor sum_of_logs = at::zeros_like(eta);
    int64_t elements = 0;
    for (const Tensor& p : xi.slots[kGains]) {
      sum_of_logs += p.log().sum(at::kDouble);
      elements += p.numel();
    }
    return (sum_of_logs / static_cast<double>(elements)).exp() * (eta / initial_rate());
  }

 protected:
  void accumulate(const TensorList& g, const std::vector<TensorList>& slots) const override {
    for (size_t i = 0; i < g.size(); ++i) {
      const Tensor& p = slots[kGains][i];
      const Tensor& v = slots[kTraces][i];
      p.mul_((1 - options_.meta_rate * g[i] * v).clamp_min(options_.floor));
      p.clamp_min_(kSmallestGain);
      v.mul_(options_.decay).sub_(p * (g[i] + options_.decay * slots[kCurved][i]));
    }
  }

  ElementwiseStep formula(const StepInputs& from, const HyperparameterValues& phi) const override {
    TensorList rate;
    rate.reserve(phi[0].size());
    for (size_t i = 0; i < phi[0].size(); ++i) {
      rate.push_back(from.xi.slots[kGains][i] * (phi[0][i] / initial_rate()));
    }
    return {.direction = from.g, .rate = std::move(rate)};
  }

 private:
  enum Slot : size_t {
    kGains,   ///< p
    kTraces,  ///< v
    kCurved,  ///< H v
    kSlots,
  };

  double initial_rate() const { return learning_rate().initial; }

  SmdOptions options_;
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

std::unique_ptr<UpdateRule> make_smd(const SmdOptions& options, const RuleSetting& setting) {
  return std::make_unique<Smd>(options, setting);
}

}  // namespace apo
