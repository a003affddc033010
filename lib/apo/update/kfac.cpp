#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>

#include <cmath>

#include "apo/problem/problem.h"
#include "apo/update/factors.h"
#include "apo/update/steps.h"
#include "apo/update/update_rule.h"

namespace apo {
namespace {

/// K-FAC: natural gradient with a Kronecker-factored Fisher matrix, one block a layer.
///     Ω ← βₖ Ω + (1 − βₖ) Ω_x, βₖ = min(β, 1 − 1/k), Γ alike     every factor_interval steps
///     Ω = U diag(a) Uᵀ;  Γ = V diag(b) Vᵀ                        every inverse_interval steps,
///     of which all but each basis_interval-th only renew a = diag(Uᵀ Ω U), b alike
///     P g = V [(Vᵀ g U) / (b aᵀ + γ)] Uᵀ = (Ω ⊗ Γ + γ I)⁻¹ g      exact damping
///     P g = V [(Vᵀ g U) / ((b + √γ)(a + √γ)ᵀ)] Uᵀ                 factored damping, without π
///     v ← μ v + g;  θ′ = θ − η ν P v;  momentum ignored: g in place of v
/// with ν = min(1, √(κ / (η² Σ gᵀ P g))) under KL clipping, else 1; decay beside the step as that
/// of an ElementwiseStep. g of a layer: its weight's
/// gradient as [out, in], its bias's as one more column. Parameters without a block, which are
/// BatchNorm's, take the plain gradient.
/// φ: η learning_rate, γ damping. In the eigenbases damping acts elementwise, so ∂θ′/∂γ is exact.
/// Source: Martens & Grosse 2015; Grosse & Martens 2016; KL clipping: Ba et al. 2017.
/// Eigenvalues in a basis that lags: George et al. 2018 (for diag of the Fisher matrix itself).
/// Differs: the factors begin as means over warmup_batches batches, for one batch's Fisher matrix
/// fits that batch; the intervals begin as steps 0, 1, 2, 4, 8…; momentum gathers gradients
/// before, not after, preconditioning; Ω of a convolution sees every position_stride-th position.
class Kfac : public UpdateRule {
 public:
  Kfac(const KfacOptions& options, const RuleSetting& setting)
      : UpdateRule(setting,
                   {.needs_curvature = true, .momentum = options.momentum, .sums_gradients = true}),
        options_(options),
        curvature_{options.fisher, options.position_stride} {}

  std::vector<HyperparameterSpec> hyperparameters() const override {
    return {learning_rate(), {"damping", Transform::log, options_.damping, Range::above(0)}};
  }

  Statistics initial_statistics(const TensorList& theta) const override {
    Statistics xi(theta);
    if (options_.momentum > 0) xi.slots.push_back(zeros_like(theta));
    return xi;
  }

  void observe_curvature(Problem& problem, const Batch& x, Statistics& xi) const override {
    const at::NoGradGuard no_grad;
    const at::NoTF32Guard exact;  // small eigenvalues are differences of large ones
    const int64_t t = xi.curvature_steps++;
    if (t == 0) warm_up(problem, xi);
    if (is_due(t, options_.factor_interval)) {
      const auto draw = static_cast<uint64_t>(options_.warmup_batches + t);
      const double mean = 1 - 1 / static_cast<double>(++xi.curvature_updates);
      const double decay = std::min(options_.factor_decay, mean);
      accumulate(curvature(problem, x, curvature_, draw), decay, xi);
    }
    const bool new_basis = is_due(t, options_.inverse_interval * options_.basis_interval);
    const bool new_values = is_due(t, options_.inverse_interval);
    if (!new_basis && !new_values) return;
    std::vector<KroneckerFactor*> factors;
    factors.reserve(2 * xi.blocks.size());
    for (KroneckerBlock& block : xi.blocks) {
      factors.push_back(&block.inputs);
      factors.push_back(&block.output_gradients);
    }
    renew(factors, new_basis ? Renewal::basis : Renewal::values, *problem.group);
  }

  void observe(const TensorList& g, Statistics& xi) const override {
    const at::NoGradGuard no_grad;
    xi.updates.add_(1);
    if (options_.momentum > 0) backend_on(g).gather(xi.slots[0], g, options_.momentum);
  }

  TensorList propose(const StepInputs& from, const HyperparameterValues& phi) const override {
    const at::NoTF32Guard exact;
    const auto& [theta, g, xi, momentum, schedule] = from;
    const bool gathered = momentum == Momentum::apply && options_.momentum > 0;
    const TensorList& direction = gathered ? xi.slots[0] : g;
    TensorList natural = direction;
    for (const KroneckerBlock& block : xi.blocks) precondition(block, direction, phi, natural);
    if (options_.kl_clip > 0) {
      const Tensor shrink = kl_scale(g, natural, phi);
      for (Tensor& of_parameter : natural) of_parameter = shrink * of_parameter;
    }
    return evaluate({.direction = std::move(natural),
                     .rate = phi[0],
                     .decay = decay_in(WeightDecay::decoupled),
                     .shrinkage = decay_in(WeightDecay::independent),
                     .schedule = schedule},
                    theta);
  }

 private:
  /// Every `interval` steps, and at first, while θ moves fast, at steps 0, 1, 2, 4, 8…
  static bool is_due(int64_t step, int64_t interval) {
    const bool power_of_two = (step & (step - 1)) == 0;
    return step % interval == 0 || (step < interval && power_of_two);
  }

  void warm_up(Problem& problem, Statistics& xi) const {
    if (options_.warmup_batches > 0) xi.curvature_updates = 1;  // all of them count as one
    for (int64_t n = 0; n < options_.warmup_batches; ++n) {
      const Batch x = problem.discrepancy_batches->next();
      const double decay = static_cast<double>(n) / static_cast<double>(n + 1);  // a plain mean
      accumulate(curvature(problem, x, curvature_, static_cast<uint64_t>(n)), decay, xi);
    }
  }

  static void accumulate(const std::vector<LayerMoments>& moments, double decay, Statistics& xi) {
    if (xi.blocks.empty()) {
      for (const LayerMoments& layer : moments) {
        xi.blocks.push_back({.weight = layer.weight,
                             .bias = layer.bias,
                             .inputs = {layer.inputs, {}, {}},
                             .output_gradients = {layer.output_gradients, {}, {}}});
      }
      return;
    }
    for (size_t i = 0; i < moments.size(); ++i) {
      xi.blocks[i].inputs.moment.lerp_(moments[i].inputs, 1 - decay);
      xi.blocks[i].output_gradients.moment.lerp_(moments[i].output_gradients, 1 - decay);
    }
  }

  Tensor denominator(const Tensor& a, const Tensor& b, const Tensor& damping) const {
    if (options_.damping_style == KfacOptions::DampingStyle::exact)
      return at::outer(b, a) + damping;
    const Tensor root = damping.sqrt();
    return at::outer(b + root, a + root);
  }

  void precondition(const KroneckerBlock& block,
                    const TensorList& g,
                    const HyperparameterValues& phi,
                    TensorList& natural) const {
    const Tensor& u = block.inputs.vectors;
    const Tensor& v = block.output_gradients.vectors;
    const Tensor& weight = g[block.weight];
    Tensor joint = weight.flatten(1);
    if (block.bias) joint = at::cat({joint, g[*block.bias].unsqueeze(1)}, 1);
    const Tensor below =
        denominator(block.inputs.values, block.output_gradients.values, phi[1][block.weight]);
    const Tensor rotated = at::matmul(v.t(), at::matmul(joint, u));
    joint = at::matmul(v, at::matmul(rotated / below, u.t()));
    const int64_t in = weight[0].numel();
    natural[block.weight] = joint.narrow(1, 0, in).view_as(weight);
    if (block.bias) natural[*block.bias] = joint.select(1, in);
  }

  Tensor kl_scale(const TensorList& g,
                  const TensorList& natural,
                  const HyperparameterValues& phi) const {
    Tensor change;
    for (size_t i = 0; i < g.size(); ++i) {
      const Tensor of_parameter = phi[0][i].square() * (g[i] * natural[i]).sum();
      change = change.defined() ? change + of_parameter : of_parameter;
    }
    return (options_.kl_clip / change.clamp_min(1e-30)).sqrt().clamp_max(1);
  }

  KfacOptions options_;
  CurvatureOptions curvature_;
};

}  // namespace

void KfacOptions::visit(OptionVisitor& visitor) {
  visitor.real("damping", damping, Range::above(0), "γ, added to the Fisher matrix");
  visitor.one_of("damping_style",
                 damping_style,
                 {{"exact", DampingStyle::exact}, {"factored", DampingStyle::factored}},
                 "Ω ⊗ Γ + γ I, or (Ω + √γ I) ⊗ (Γ + √γ I)");
  visitor.one_of("fisher",
                 fisher,
                 {{"sampled", Fisher::sampled}, {"empirical", Fisher::empirical}},
                 "gradients of targets drawn from the predictions, or of the training targets");
  visitor.real("factor_decay", factor_decay, Range::half_open(0, 1), "β, decay of the factors");
  visitor.integer(
      "factor_interval", factor_interval, Range::at_least(1), "steps between factor updates");
  visitor.integer("inverse_interval",
                  inverse_interval,
                  Range::at_least(1),
                  "steps between renewals of the eigenvalues");
  visitor.integer("basis_interval",
                  basis_interval,
                  Range::at_least(1),
                  "of which each n-th renews the eigenvectors too");
  visitor.integer("position_stride",
                  position_stride,
                  Range::at_least(1),
                  "Ω of a convolution sees every n-th position along each axis");
  visitor.integer("warmup_batches",
                  warmup_batches,
                  Range::at_least(0),
                  "batches whose mean the factors begin with");
  visitor.real("momentum", momentum, Range::half_open(0, 1), "μ, of the gradients");
  visitor.real("kl_clip", kl_clip, Range::at_least(0), "κ, bound of η² Σ gᵀ P g; 0: none");
}

std::unique_ptr<UpdateRule> make_kfac(const KfacOptions& options, const RuleSetting& setting) {
  return std::make_unique<Kfac>(options, setting);
}

}  // namespace apo
