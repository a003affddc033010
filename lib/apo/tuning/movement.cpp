#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apo/base/guards.h"
#include "apo/tuning/apo_parts.h"

namespace apo {
namespace {

/// A meta step multiplies or divides the rate by this much at most.
constexpr double kLargestChange = 2;
/// Meta steps are as far apart as a run of so many times the distance is long, `interval` at most:
/// while the velocity is not there yet and outputs grow fast, every step has one.
constexpr int64_t kEarlier = 5;
/// The budget rises from nothing for so much of the run.
constexpr double kWarmup = 0.05;
/// A step moves logits by so much of their size at most, one of momentum 0.9 by their size, for it
/// goes on, and so the outputs of a regression, which no softmax bounds.
constexpr double kLargestShare = 1.5;
constexpr double kLargestOfRegression = 1;
/// As a root mean square of logits; at that softmax has decided, and larger ones decide no more.
/// Were the budget a share of logits of any size, what has been learned would run away: weights
/// that a step can no longer teach grow by it, the outputs with them, and so the next step.
constexpr double kLargestLogit = 5;
/// The means begin as those of the last so many meta steps. Of ten the rates of a Transformer rose
/// until SGD diverged.
constexpr int64_t kFirstMean = 20;
/// How outputs move is seen at a step that moves them by this share of their size: short enough to
/// be linear, long enough for bfloat16. Before that is known it is this share of ‖θ‖ that moves.
/// With BatchNorm it is seen at the step itself: weights before it move the outputs by far less
/// than a short step promises.
constexpr double kLook = 0.02;
constexpr double kFirstLook = 1e-3;
/// Of the steps T of a run: ½, were steps independent; 1, if all went the same way. See
/// docs/default.md.
constexpr double kHorizon = 2.0 / 3;
/// The momentum of the rules that the budget was found with.
constexpr double kMomentum = 0.9;
/// What all rules have of the budget but those that curvature directs, whose steps are not noise
/// above all: with more than the budget K-FAC diverges. Found, not derived.
constexpr double kOfNoise = 4.0 / 3;
/// In a network with BatchNorm sums of gradients have 5/3 of the limits; where it has more than ten
/// of them, as ResNets have, Adam has half of its budget and two thirds of its limit: found, not
/// derived.
constexpr double kNormalisedSums = 5.0 / 3;
constexpr int64_t kManyBatchNorms = 10;
constexpr double kNormalisedAdam = 2.0 / 3;
/// √k counts as so many times √k̄ at most once there is a mean: one batch among many can have fifty
/// times, and a mean over the run so far would keep the rate down to its end.
constexpr double kOutlier = 3;

/// How much further than by itself a step of momentum μ goes in the long run: one that is noise
/// comes again, μᵏ of it after k steps, so that the mean square of a sum of many is
/// Σₖ μ^|k| = (1 + μ) / (1 − μ) times what it were of independent ones.
double persistence(double momentum) {
  return std::sqrt((1 + momentum) / (1 - momentum));
}

/// How many BatchNorms it has, by what PyTorch calls their statistics.
int64_t batch_norms(const Network& network) {
  const auto& names = network.buffer_names();
  return std::count_if(
      names.begin(), names.end(), [](const auto& name) { return name.ends_with("running_var"); });
}

/// What is the same at all steps of a run.
struct Part {
  Part(const RuleTraits& rule, bool classes, int64_t batch_norms) {
    if (rule.needs_curvature) return;
    of_persistence = persistence(kMomentum) / persistence(rule.momentum);
    of_budget = kOfNoise;
    if (classes) largest = kLargestShare;
    largest = std::min(largest, of_persistence);
    keeps_velocity = rule.momentum > 0 && rule.sums_gradients && classes;
    if (rule.sums_gradients && batch_norms > 0) largest *= kNormalisedSums;
    if (!rule.sums_gradients && rule.momentum > 0 && batch_norms > kManyBatchNorms) {
      of_budget = kNormalisedAdam;
      largest *= kNormalisedAdam;
    }
  }

  double of_persistence = 1;              ///< p
  double of_budget = 1;                   ///< q
  double largest = kLargestOfRegression;  ///< share of the outputs' size
  bool keeps_velocity = false;            ///< SGDm's, where there are classes
};

/// How far a step moves the outputs, and is seen to, in shares of their size.
struct Shares {
  Shares(const StepContext& context, double budget) {
    const int64_t norms = batch_norms(*context.problem.network);
    const Part part(context.rule.traits(), context.problem.loss->has_classes(), norms);
    const auto steps = static_cast<double>(context.steps);
    const double rising = static_cast<double>(context.step + 1) / (1 + kWarmup * steps);
    step = std::min(1.0, rising) *
           std::min(part.largest,
                    budget * std::pow(steps, -kHorizon) * part.of_persistence * part.of_budget);
    own_batch = part.keeps_velocity ? step : std::numeric_limits<double>::infinity();
    look = norms > 0 ? std::max(step, kLook) : kLook;
  }

  double step;
  double own_batch;  ///< at most, of the batch that the meta step itself sees
  double look;       ///< of the step at which the movement is seen
};

/// √ of the mean square over positions of the outputs' norm, a scalar. Of the whole batch.
Tensor norm(const Tensor& z, const OutputLoss& of, Group& group) {
  return mean(group, of.mean(z.square().sum(-1)).to(at::kDouble)).sqrt();
}

/// Square root of the sum of squares over all of a network's parameters.
Tensor norm(const TensorList& parameters) {
  TensorList squares;
  for (const Tensor& each : parameters) squares.push_back(each.square().sum(at::kDouble));
  return at::stack(squares).sum().sqrt();
}

/// The proximal term as a budget: the learning rate at which a step moves the outputs on other
/// examples by a share of their size that depends on the length of the run alone.
///     k = ‖f(x̃, θ + ε d) − f(x̃, θ)‖² / ε²,  d = ∂θ′/∂η, the momentum in it; ε is small
///     η ← min(1, (t + 1) / (1 + T / 20)) C T^(−2/3) p q z̄ / √k̄
///     p² = (1 − μ) / (1 + μ) ÷ the same of μ = 0.9,  q = 4/3
/// ‖·‖ is the root mean square over examples; z̄ and k̄ are means over the run so far of z = ‖f(x̃,
/// θ)‖ and k; μ is the rule's momentum; p = q = 1 of K-FAC. Of n classes z counts as 1 at least and
/// 5 √n at most; of a regression it is the targets' size. In runs of few steps C T^(−2/3) p q
/// counts as at most p and at most 1.5, of a regression 1. With BatchNorm ε is the step itself, and
/// of sums of gradients these limits are 5/3 as large; with many of them Adam's q and limit are
/// 2/3. In k̄ a √k is three times √k̄ at most. A meta step multiplies η by 2 at most, and η of SGDm
/// with classes, whose velocity keeps a step that is too large, is its share of z / √k of the meta
/// step itself at most. λ is here the multiplier of a constraint on D, as in trust regions; the
/// loss has no part in it. Source: D of APO paper, Eq. 7; the rest is this program's own
/// (docs/default.md).
class Movement : public Tuner {
 public:
  explicit Movement(const MovementOptions& options)
      : Tuner({.tuned = {"learning_rate"},
               .bounds = options.bounds.by_name(),
               .interval = options.interval,
               .early_steps = kEarlier * options.interval,
               .discrepancy_share = 2,
               .finds_first_rate = true,
               .auto_by_default = true,
               .by_length = true,
               .freeze_after = options.freeze_after,
               .remedy = "a smaller tuner.budget"}),
        options_(options) {}

  bool is_due(int64_t step) const override {
    return step % std::clamp<int64_t>(step / kEarlier, 1, options_.interval) == 0;
  }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    if (!is_due(context.step)) return {};
    if (!mean_size_.defined()) begin(phi);
    const auto scalar = [&](double value) { return at::full({}, value, mean_size_.options()); };
    const Shares shares(context, options_.budget);
    const Inputs inputs{
        next_inputs(context),
        scalar(weight(context.step)),
        scalar(shares.step),
        scalar(context.step < kFirstMean ? std::numeric_limits<double>::infinity() : kOutlier),
        scalar(shares.own_batch),
        scalar(shares.look)};
    return {.meta = meta_step_(context.recorder, inputs, [&](const Inputs& now) {
              return take_meta_step(context, now, phi);
            })};
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.tensor("size", mean_size_);
    visitor.tensor("movement", mean_k_);
    if (visitor.restores()) meta_step_.forget();
  }

 private:
  struct Inputs : MetaInputs {
    Tensor weight;  ///< of this meta step in the means
    Tensor share;
    Tensor outlier;  ///< √k counts as so many times √k̄ at most
    Tensor own_batch;
    Tensor look;

    template <class Visit>
    void visit_tensors(const Visit& visit) const {
      MetaInputs::visit_tensors(visit);
      visit(weight);
      visit(share);
      visit(outlier);
      visit(own_batch);
      visit(look);
    }
  };

  /// With which a mean is one over all intervals so far, alike; in the first few, over meta steps.
  double weight(int64_t step) const {
    const double intervals = 1 + static_cast<double>(step) / static_cast<double>(options_.interval);
    return 1 / std::max(intervals, static_cast<double>(std::min(step + 1, kFirstMean)));
  }

  void begin(const Hyperparameters& phi) {
    const Tensor& eta = phi.value(phi.index("learning_rate"));
    mean_size_ = at::zeros({}, eta.options());
    mean_k_ = at::zeros({}, eta.options());
  }

  Packed<MetaTerms> take_meta_step(const StepContext& context,
                                   const Inputs& inputs,
                                   Hyperparameters& phi) {
    const at::NoGradGuard no_grad;
    const size_t index = phi.index("learning_rate");
    const Tensor eta = phi.value(index).squeeze(0).clone();
    const bool unknown = context.step == 0 && context.auto_learning_rate;
    const auto [size, k] = seen(context, inputs, phi);
    const Tensor finite = is_finite(size + k).bitwise_and(k.gt(0));
    const Tensor known = mean_k_.gt(0);
    const Tensor weight = at::where(known, inputs.weight, 1.0);
    move_mean(mean_size_, size, weight, finite);
    const Tensor most = at::where(known, inputs.outlier.square() * mean_k_, k);
    move_mean(mean_k_, k.minimum(most), weight, finite);

    const Tensor wanted = inputs.share * mean_size_ / mean_k_.sqrt();
    const Tensor from = unknown ? wanted * context.first_rate_scale : eta;
    const Tensor next =
        unknown ? from : wanted.maximum(from / kLargestChange).minimum(from * kLargestChange);
    const Tensor holds = finite.bitwise_and(is_finite(inputs.own_batch));
    const Tensor bounded = at::where(holds, next.minimum(inputs.own_batch * size / k.sqrt()), next);
    phi.move(index, at::where(is_finite(wanted), bounded, eta).log().view({1}));
    const Tensor away = (from / wanted).log();
    return Packed<MetaTerms>({.objective = away.square() / 2,
                              .loss_term = inputs.loss.to(at::kDouble),
                              .discrepancy = k * from.square(),
                              .skipped = finite.bitwise_not(),
                              .gradient = {away.view({1})}});
  }

  /// z and k.
  std::pair<Tensor, Tensor> seen(const StepContext& context,
                                 const Inputs& inputs,
                                 const Hyperparameters& phi) const {
    Network& network = *context.problem.network;
    const OutputLoss loss{*context.problem.loss, inputs.x_tilde};
    const SwapGuard buffers = kept_buffers(network);
    const TensorList theta = detached(network.parameters());
    const TensorList d =
        context.rule.rate_derivative({theta, inputs.g, context.xi, Momentum::apply}, phi);
    const Tensor epsilon = context.step == 0 ? kFirstLook * norm(theta).clamp_min(1) / norm(d)
                                             : inputs.look * mean_size_ / mean_k_.sqrt();
    TensorList next;
    for (size_t i = 0; i < theta.size(); ++i) {
      next.push_back(theta[i] + epsilon.to(theta[i].scalar_type()) * d[i]);
    }
    const Tensor z = network.forward(inputs.x_tilde.inputs);
    const SwapGuard parameters(network.parameters(), next);
    const Tensor moved = network.forward(inputs.x_tilde.inputs) - z;
    Group& group = *context.problem.group;
    return {size_of(z, loss, group), (norm(moved, loss, group) / epsilon).square()};
  }

  /// Of classes never 0, or a network that says nothing yet would never move; nor of targets that
  /// are all 0, as those of a first batch may be where most are.
  static Tensor size_of(const Tensor& z, const OutputLoss& loss, Group& group) {
    if (loss.loss.has_classes())
      return norm(z, loss, group).clamp(1, kLargestLogit * std::sqrt(z.size(-1)));
    const Tensor& y = loss.x.targets;
    if (!y.defined() || y.sizes() != z.sizes()) return norm(z, loss, group);
    const Tensor size = norm(y, loss, group);
    return at::where(size.gt(0), size, norm(z, loss, group));
  }

  MovementOptions options_;
  Tensor mean_size_;  ///< z̄
  Tensor mean_k_;     ///< k̄
  Replayed<Inputs, Packed<MetaTerms>> meta_step_;
};

}  // namespace

void MovementOptions::visit(OptionVisitor& visitor) {
  visitor.real("budget",
               budget,
               Range::above(0),
               "C: of T steps one of Adam moves the outputs by C T^(−2/3) of their size");
  visitor.integer("interval", interval, Range::between(1, 1e9), "base steps per meta step");
  visit_freeze_after(freeze_after, visitor);
  bounds.visit(visitor);
}

std::unique_ptr<Tuner> make_movement(const MovementOptions& options) {
  return frozen_after(options.freeze_after, std::make_unique<Movement>(options));
}

}  // namespace apo
