// The family of update rules: θ′ = g(θ, ξ, φ), the base optimizers of the paper and the
// meta-optimizers alike.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/registry.h"
#include "apo/base/state.h"
#include "apo/base/tensors.h"
#include "apo/hyper/hyperparameters.h"
#include "apo/problem/curvature.h"

namespace apo {

class Problem;
struct Batch;

/// A running second moment M = W diag(λ) Wᵀ, decomposed now and then.
struct KroneckerFactor {
  Tensor moment;   ///< M
  Tensor values;   ///< λ
  Tensor vectors;  ///< W
};

/// What K-FAC remembers of a layer with weight θ[weight] and, if it has one, bias θ[bias].
struct KroneckerBlock {
  size_t weight;
  std::optional<size_t> bias;
  KroneckerFactor inputs;            ///< Ω
  KroneckerFactor output_gradients;  ///< Γ
};

/// ξ: what a rule remembers. slots[s] is one list per kind of statistic (momentum, second moment).
struct Statistics {
  Statistics() = default;
  /// Of nothing observed yet, for these parameters.
  explicit Statistics(const TensorList& theta);

  Tensor updates;                 ///< gradients observed, a float64 scalar on θ's device
  Tensor gradient_square;         ///< mean of their ‖g‖², alike, where outliers are clipped
  int64_t curvature_steps = 0;    ///< steps in which the rule could have observed a curvature
  int64_t curvature_updates = 0;  ///< and of these, those in which it did
  std::vector<TensorList> slots;
  std::vector<KroneckerBlock> blocks;
};

/// Deep copies of all tensors.
Statistics clone(const Statistics& xi);

void visit_state(Statistics& xi, StateVisitor& visitor);

/// Whether a proposed step carries momentum. APO tunes as if there were none (paper, section 5).
enum class Momentum { apply, ignore };

/// What θ′ is made from, beside φ. Refers to what it is made of.
struct StepInputs {
  const TensorList& theta;
  const TensorList& g;
  const Statistics& xi;  ///< which has observed g
  Momentum momentum = Momentum::apply;
  /// What the run's schedule leaves of an independent decay: a scalar on θ's device; none: 1.
  Tensor schedule = {};
};

/// θ′, and how it hangs on the tuned hyperparameters.
struct Proposal {
  TensorList theta;  ///< θ′, without a graph
  /// v, shaped like θ → vᵀ ∂θ′/∂φ, shaped like the value of each tuned hyperparameter. Called once
  /// at most, while all that the proposal was made from exists.
  std::function<TensorList(const TensorList& v)> pull_back;
};

/// How weights decay by w. Coupled and decoupled decay are as strong as η, which may be learned and
/// rise; independent decay is not.
/// Source: Loshchilov & Hutter 2019, whose own form is the independent one (named so by Wortsman et
/// al. 2023); what PyTorch calls AdamW is the decoupled one.
enum class WeightDecay {
  automatic,    ///< the rule's own way
  coupled,      ///< g + w θ takes the place of g
  decoupled,    ///< η w θ is taken from θ′
  independent,  ///< w θ is taken from θ′
};

/// What every rule has beside its own options.
struct RuleSetting {
  double learning_rate = 0.1;
  double weight_decay = 0;
  WeightDecay weight_decay_form = WeightDecay::automatic;
  double clip_norm = 0;      ///< bound of the gradient's norm; 0: none
  double clip_outliers = 0;  ///< the same, in root mean squares of those so far; 0: none
};

/// What is so of a rule whatever it is applied to.
struct RuleTraits {
  /// It looks at more than gradients: at the problem, in observe_curvature.
  bool needs_curvature = false;
  /// observe and step change θ and ξ in place and look at no number on the host, so that what they
  /// issue to a device can be recorded.
  bool recordable = false;
  /// Its weights have rates of their own, which it moves itself: a tuner beside it would not know
  /// what it does.
  bool own_rates = false;
  /// μ: a step's direction is made of gradients that count for μᵏ after k steps.
  double momentum = 0;
  /// Whether the direction is their sum; else it is their mean, or they are divided by their size.
  bool sums_gradients = false;
  /// Where no other is chosen.
  WeightDecay weight_decay_form = WeightDecay::coupled;
  /// What of its own keys to change, and how, where a run diverged; "": they did not matter.
  std::string remedy = {};

  /// The factor by which momentum lengthens a step in the long run.
  double momentum_gain() const { return sums_gradients ? 1 / (1 - momentum) : 1; }
};

/// A rule is immutable: all that changes is in θ, ξ and φ, which are passed in.
/// θ, g: one tensor per parameter, same shapes. Momentum-free rules take Momentum for the same
/// step.
class UpdateRule {
 public:
  explicit UpdateRule(const RuleSetting& setting, RuleTraits traits = {})
      : setting_(setting), traits_(std::move(traits)) {}
  virtual ~UpdateRule() = default;
  UpdateRule(const UpdateRule&) = delete;
  UpdateRule& operator=(const UpdateRule&) = delete;

  const RuleTraits& traits() const { return traits_; }
  /// φ in the order in which formulas read it; the learning rate is the first.
  virtual std::vector<HyperparameterSpec> hyperparameters() const = 0;
  virtual Statistics initial_statistics(const TensorList& theta) const = 0;

  /// w, where the rule takes g + w θ for the gradient; else 0.
  double coupled_decay() const { return decay_in(WeightDecay::coupled); }
  /// c: the loss's gradient is shortened to this length, before its decay; 0: it is not.
  double clip_norm() const { return setting_.clip_norm; }
  /// r: and to r times the root mean square of its length so far; 0: it is not.
  double clip_outliers() const { return setting_.clip_outliers; }
  bool clips() const { return clip_norm() > 0 || clip_outliers() > 0; }
  /// ξ ← curvature seen on batch x, for the rules that look at it. Called before observe. Throws
  /// Error(config) where the problem has no layers to estimate it from.
  virtual void observe_curvature(Problem&, const Batch&, Statistics&) const {}
  /// ξ ← statistics updated with g.
  virtual void observe(const TensorList& g, Statistics& xi) const = 0;
  /// θ′, a pure formula: no argument changes, and derivatives in φ flow where its values ask for
  /// them.
  virtual TensorList propose(const StepInputs& from, const HyperparameterValues& phi) const = 0;
  /// The proposal with its derivative. Here: by one graph through propose.
  virtual Proposal differentiable(const StepInputs& from, const Hyperparameters& phi) const;
  /// ∂θ′/∂η, shaped like θ, each parameter's by the rate of its group. Here: propose, forwards.
  virtual TensorList rate_derivative(const StepInputs& from, const Hyperparameters& phi) const;
  /// θ ← propose(θ, …) with momentum, in θ's own tensors. Builds no graph. schedule: as in
  /// StepInputs.
  virtual void step(TensorList& theta,
                    const TensorList& g,
                    const Statistics& xi,
                    const HyperparameterValues& phi,
                    const Tensor& schedule = {}) const;
  /// η, a scalar, as traces show it: where weights have gains of their own, their geometric mean.
  virtual Tensor mean_rate(const Tensor& eta, const Statistics& xi) const {
    (void)xi;
    return eta;
  }

 protected:
  /// η, the first hyperparameter of every rule.
  HyperparameterSpec learning_rate() const;
  /// w, where weights decay in this form; else 0.
  double decay_in(WeightDecay form) const;

 private:
  RuleSetting setting_;
  RuleTraits traits_;
};

/// g + w θ, under no-grad; g itself for w = 0.
TensorList with_coupled_decay(const TensorList& theta, TensorList g, double w);

struct SgdmOptions {
  double momentum = 0.9;
  void visit(OptionVisitor& visitor);
};

struct RmspropOptions {
  double decay = 0.99;
  double power = 0.5;
  double epsilon = 1e-8;
  bool bias_correction = false;
  void visit(OptionVisitor& visitor);
};

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  void visit(OptionVisitor& visitor);
};

struct SmdOptions {
  double meta_rate = 10;
  double decay = 0.99;
  double floor = 0.5;
  void visit(OptionVisitor& visitor);
};

struct KfacOptions {
  enum class DampingStyle { exact, factored };
  double damping = 1e-3;
  DampingStyle damping_style = DampingStyle::exact;
  Fisher fisher = Fisher::sampled;
  double factor_decay = 0.95;
  int64_t factor_interval = 10;
  int64_t inverse_interval = 20;
  int64_t basis_interval = 10;
  int64_t position_stride = 3;
  int64_t warmup_batches = 20;
  double momentum = 0;
  double kl_clip = 0;
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<UpdateRule> make_sgd(const NoOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_sgdm(const SgdmOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_rmsprop(const RmspropOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_adam(const AdamOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_nadamw(const AdamOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_smd(const SmdOptions&, const RuleSetting&);
std::unique_ptr<UpdateRule> make_kfac(const KfacOptions&, const RuleSetting&);

using UpdateRuleRegistry = Registry<UpdateRule, const RuleSetting&>;
using UpdateRuleChoice = ChoiceOf<UpdateRule, const RuleSetting&>;
const UpdateRuleRegistry& update_rules();

}  // namespace apo
