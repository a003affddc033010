#include "apo/update/update_rule.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <functional>

#include "apo/base/random.h"
#include "support/registry_names.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

TensorList random_parameters(uint64_t seed) {
  at::Generator generator = make_generator(seed, RandomStream::model);
  return {at::randn({4, 3}, generator, at::kDouble), at::randn({4}, generator, at::kDouble)};
}

/// 100 steps with the same gradients, ours beside LibTorch's; returns the largest difference of a
/// weight.
template <class Optimizer, class Options>
double difference_from_libtorch(const UpdateRule& rule, const Options& options) {
  TensorList ours = random_parameters(1);
  TensorList theirs = clone(ours);
  for (Tensor& tensor : theirs) tensor.requires_grad_();
  Optimizer optimizer(theirs, options);
  Statistics xi = rule.initial_statistics(ours);
  const Hyperparameters phi(rule.hyperparameters(), ours.size());
  for (uint64_t t = 0; t < 100; ++t) {
    const TensorList g = random_parameters(100 + t);
    for (size_t i = 0; i < g.size(); ++i) theirs[i].mutable_grad() = g[i].clone();
    optimizer.step();
    const TensorList decayed = with_coupled_decay(ours, g, rule.coupled_decay());
    rule.observe(decayed, xi);
    rule.step(ours, decayed, xi, phi.values());
  }
  double largest = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, (ours[i] - theirs[i].detach()).abs().max().item<double>());
  }
  return largest;
}

// The recurrences are the same; only the order of a few roundings (1e-16 each, over 100 steps)
// differs.
constexpr double kRounding = 1e-12;
const RuleSetting kSetting{.learning_rate = 0.01, .weight_decay = 0.03};

RuleSetting decaying(WeightDecay form) {
  return {.learning_rate = 0.01, .weight_decay = 0.03, .weight_decay_form = form};
}

TEST(Sgd, EqualsLibTorch) {
  const auto options = torch::optim::SGDOptions(0.01).weight_decay(0.03);
  EXPECT_LT(difference_from_libtorch<torch::optim::SGD>(*make_sgd({}, kSetting), options),
            kRounding);
}

TEST(Sgdm, EqualsLibTorchWithNesterov) {
  const auto options =
      torch::optim::SGDOptions(0.01).weight_decay(0.03).momentum(0.9).nesterov(true);
  EXPECT_LT(difference_from_libtorch<torch::optim::SGD>(*make_sgdm({}, kSetting), options),
            kRounding);
}

TEST(Rmsprop, EqualsLibTorchAtPowerOneHalf) {
  const auto options = torch::optim::RMSpropOptions(0.01).weight_decay(0.03).alpha(0.95).eps(1e-6);
  const auto rule = make_rmsprop({.decay = 0.95, .epsilon = 1e-6}, kSetting);
  EXPECT_LT(difference_from_libtorch<torch::optim::RMSprop>(*rule, options), kRounding);
}

TEST(Adam, EqualsLibTorch) {
  const auto options = torch::optim::AdamOptions(0.01).weight_decay(0.03);
  EXPECT_LT(difference_from_libtorch<torch::optim::Adam>(*make_adam({}, kSetting), options),
            kRounding);
}

TEST(Adam, EqualsLibTorchsAdamWWithDecoupledDecay) {
  const auto options = torch::optim::AdamWOptions(0.01).weight_decay(0.03);
  const auto rule = make_adam({}, decaying(WeightDecay::decoupled));
  EXPECT_LT(difference_from_libtorch<torch::optim::AdamW>(*rule, options), kRounding);
}

/// The baselines' recurrence for one weight, on numbers.
double nadamw_by_loop(double theta, const std::vector<double>& gradients) {
  double m = 0;
  double v = 0;
  double power1 = 1;
  double power2 = 1;
  for (const double g : gradients) {
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    power1 *= 0.9;
    power2 *= 0.99;
    theta *= 1 - 0.01 * 0.03;
    const double ahead = 0.9 * m + 0.1 * g;
    theta -= 0.01 * ahead / (1 - power1) / (std::sqrt(v / (1 - power2)) + 1e-8);
  }
  return theta;
}

TEST(Nadamw, IsTheBaselinesRecurrence) {
  const auto rule = make_nadamw({.beta2 = 0.99}, kSetting);
  TensorList theta = random_parameters(1);
  const auto start = theta[1][2].item<double>();
  Statistics xi = rule->initial_statistics(theta);
  const Hyperparameters phi(rule->hyperparameters(), theta.size());
  std::vector<double> gradients;
  gradients.reserve(100);
  for (uint64_t t = 0; t < 100; ++t) {
    const TensorList g = random_parameters(100 + t);
    gradients.push_back(g[1][2].item<double>());
    rule->observe(g, xi);
    rule->step(theta, g, xi, phi.values());
  }
  EXPECT_NEAR(theta[1][2].item<double>(), nadamw_by_loop(start, gradients), kRounding);
}

TEST(Nadamw, ItsFirstStepIsOnePlusBeta1TimesTheRate) {
  // m = (1 − β₁) g, so that m̂ = (1 + β₁) g and √v̂ = |g|: ε / |g| is far below 1e-6 here.
  const auto rule = make_nadamw({.beta1 = 0.8}, {.learning_rate = 0.1});
  TensorList theta = {at::zeros({5}, at::kDouble)};
  const TensorList g = {at::randn({5}, at::kDouble)};
  Statistics xi = rule->initial_statistics(theta);
  rule->observe(g, xi);
  rule->step(theta, g, xi, Hyperparameters(rule->hyperparameters(), 1).values());
  EXPECT_LT((theta[0] + 0.18 * g[0].sign()).abs().max().item<double>(), 1e-6);
}

TEST(Rmsprop, ABiasCorrectedFirstStepIsTheSignTimesTheRate) {
  const auto rule = make_rmsprop({.bias_correction = true}, {.learning_rate = 0.1});
  TensorList theta = {at::randn({5}, at::kDouble)};
  const TensorList before = clone(theta);
  const TensorList g = {at::randn({5}, at::kDouble)};
  Statistics xi = rule->initial_statistics(theta);
  rule->observe(g, xi);
  rule->step(theta, g, xi, Hyperparameters(rule->hyperparameters(), 1).values());
  // |g| / (|g| + ε) differs from 1 by ε / |g|, far below 1e-6 here.
  EXPECT_LT((theta[0] - (before[0] - 0.1 * g[0].sign())).abs().max().item<double>(), 1e-6);
}

TEST(Rmsprop, ThePowerIsFree) {
  // s = g² (1 − γ) with γ = 0 is g², so with ρ = 1 the step is η g / (g² + ε).
  const auto rule = make_rmsprop({.decay = 0, .power = 1}, {.learning_rate = 0.1});
  TensorList theta = {at::zeros({1}, at::kDouble)};
  const TensorList g = {at::full({1}, 2.0, at::kDouble)};
  Statistics xi = rule->initial_statistics(theta);
  rule->observe(g, xi);
  rule->step(theta, g, xi, Hyperparameters(rule->hyperparameters(), 1).values());
  EXPECT_NEAR(theta[0].item<double>(), -0.1 * 2 / (4 + 1e-8), 1e-15);
}

class UpdateRules : public testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<UpdateRule> make(const RuleSetting& setting) {
    return UpdateRuleChoice(update_rules(), GetParam()).make(setting);
  }

  std::unique_ptr<UpdateRule> rule_ =
      ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), GetParam()).make(kSetting);
};

TEST_P(UpdateRules, DeclareTheLearningRateFirst) {
  EXPECT_EQ(rule_->hyperparameters().front().name, "learning_rate");
  EXPECT_EQ(rule_->hyperparameters().front().initial, 0.01);
}

TEST_P(UpdateRules, ProposeChangesNoneOfItsArguments) {
  test::TinyProblem problem;
  const Batch x = problem.batches->next();
  const TensorList theta = detached(problem.network->parameters());
  const TensorList g = gradient(loss_on(problem, x), problem.network->parameters());
  Statistics xi = rule_->initial_statistics(theta);
  rule_->observe_curvature(problem, x, xi);
  rule_->observe(g, xi);
  const TensorList theta_before = clone(theta), g_before = clone(g);
  std::vector<TensorList> slots_before;
  for (const TensorList& slot : xi.slots) slots_before.push_back(clone(slot));
  const Hyperparameters phi(rule_->hyperparameters(), theta.size());
  for (const Momentum momentum : {Momentum::apply, Momentum::ignore}) {
    const TensorList next = rule_->propose({theta, g, xi, momentum}, phi.values());
    for (size_t i = 0; i < theta.size(); ++i) {
      EXPECT_FALSE(at::equal(next[i], theta[i]));
      EXPECT_TRUE(at::equal(theta[i], theta_before[i]));
      EXPECT_TRUE(at::equal(g[i], g_before[i]));
      for (size_t s = 0; s < xi.slots.size(); ++s) {
        EXPECT_TRUE(at::equal(xi.slots[s][i], slots_before[s][i]));
      }
    }
  }
}

TEST_P(UpdateRules, DerivativesAreFiniteWhereAGradientWasAlwaysZero) {
  // Without decay, which a rule may add to the step itself: its derivative is not zero.
  const auto rule = UpdateRuleChoice(update_rules(), GetParam()).make({.learning_rate = 0.01});
  const TensorList theta = {at::ones({2}, at::kDouble)};
  const TensorList g = {at::zeros({2}, at::kDouble)};
  Statistics xi = rule->initial_statistics(theta);
  rule->observe(g, xi);
  const Hyperparameters phi(rule->hyperparameters(), 1);
  std::vector<size_t> all;
  TensorList leaves;
  for (size_t h = 0; h < phi.specs().size(); ++h) {
    all.push_back(h);
    leaves.push_back(phi.value(h).clone().requires_grad_());
  }
  const TensorList next =
      rule->propose({theta, g, xi, Momentum::ignore}, phi.values_with(all, leaves));
  for (const Tensor& derivative :
       torch::autograd::grad({next[0].sum()}, leaves, {}, {}, false, true)) {
    if (!derivative.defined()) continue;  // it has none
    EXPECT_EQ(derivative.item<double>(), 0);
  }
}

using Cast = std::function<Tensor(const Tensor&)>;

Tensor as_float64(const Tensor& tensor) {
  return tensor;
}

Tensor as_float32(const Tensor& tensor) {
  return tensor.to(at::kFloat);
}

/// With the channels of a filter side by side.
Tensor with_channels_last(const Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
}

/// Every other number in memory.
Tensor with_gaps(const Tensor& tensor) {
  return at::stack({tensor, tensor}, -1).select(-1, 0);
}

/// Parameters, a gradient and what a rule remembers after three of them. One parameter is a filter,
/// one larger than what a thread takes at a time.
struct Moment {
  Moment(const UpdateRule& rule, const Cast& cast) {
    for (TensorList* list : {&theta, &g, &v}) {
      const auto seed = static_cast<uint64_t>(list - &theta);
      *list = random_parameters(seed);
      at::Generator generator = make_generator(seed, RandomStream::model);
      list->push_back(at::randn({6, 5, 3, 3}, generator, at::kDouble));
      list->push_back(at::randn({300, 301}, generator, at::kDouble));
      for (Tensor& tensor : *list) tensor = cast(tensor);
    }
    xi = rule.initial_statistics(theta);
    for (int t = 0; t < 3; ++t) rule.observe(g, xi);
  }
  TensorList theta, g, v;
  Statistics xi;
};

/// The largest difference of a weight between a step, which may go in one pass, and the formula,
/// which is what there is to differentiate.
double difference_of_step(const UpdateRule& rule, const Cast& cast, bool in_place) {
  Moment at(rule, cast);
  const Hyperparameters phi(rule.hyperparameters(), at.theta.size());
  const Tensor leaf = phi.value(0).clone().requires_grad_();
  const TensorList formula = rule.propose({at.theta, at.g, at.xi}, phi.values_with({0}, {leaf}));
  TensorList next = at.theta;
  if (in_place) {
    rule.step(next, at.g, at.xi, phi.values());
  } else {
    next = rule.propose({at.theta, at.g, at.xi}, phi.values());
  }
  double largest = 0;
  for (size_t i = 0; i < next.size(); ++i) {
    largest = std::max(largest, (next[i] - formula[i].detach()).abs().max().item<double>());
  }
  return largest;
}

// θ is below 8 and a step far below: a few roundings of θ.
TEST_P(UpdateRules, StepsAndProposalsAreTheFormula) {
  for (const bool in_place : {false, true}) {
    EXPECT_LT(difference_of_step(*rule_, as_float64, in_place), 1e-14);
    EXPECT_LT(difference_of_step(*rule_, as_float32, in_place), 4e-6);
    EXPECT_LT(difference_of_step(*rule_, with_channels_last, in_place), 1e-14);
    EXPECT_LT(difference_of_step(*rule_, with_gaps, in_place), 1e-14);
    for (const WeightDecay form : {WeightDecay::decoupled, WeightDecay::independent}) {
      EXPECT_LT(difference_of_step(*make(decaying(form)), as_float64, in_place), 1e-14);
    }
  }
}

/// The largest difference between what a rule's steps, and its proposals with momentum and without,
/// take from θ beside those of the same rule without decay, and `share` θ.
double difference_of_decay(const UpdateRule& rule, const UpdateRule& bare, double share) {
  const Moment at(rule, as_float64);
  const Hyperparameters phi(rule.hyperparameters(), at.theta.size());
  TensorList stepped = clone(at.theta);
  rule.step(stepped, at.g, at.xi, phi.values());
  double largest = 0;
  const auto compare = [&](const TensorList& next, Momentum momentum) {
    const TensorList without = bare.propose({at.theta, at.g, at.xi, momentum}, phi.values());
    for (size_t i = 0; i < next.size(); ++i) {
      const Tensor difference = next[i] - (without[i] - share * at.theta[i]);
      largest = std::max(largest, difference.abs().max().item<double>());
    }
  };
  compare(stepped, Momentum::apply);
  for (const Momentum momentum : {Momentum::apply, Momentum::ignore}) {
    compare(rule.propose({at.theta, at.g, at.xi, momentum}, phi.values()), momentum);
  }
  return largest;
}

// η = 0.01, w = 0.03. The same few roundings of θ.
TEST_P(UpdateRules, DecayBesideTheStepIsTheSameForStepsAndProposals) {
  const auto bare = make({.learning_rate = 0.01});
  const auto independent = make(decaying(WeightDecay::independent));
  EXPECT_EQ(independent->coupled_decay(), 0);
  EXPECT_LT(difference_of_decay(*independent, *bare, 0.03), 1e-14);
  if (bare->traits().own_rates) return;  // η is another for each weight
  const auto decoupled = make(decaying(WeightDecay::decoupled));
  EXPECT_EQ(decoupled->coupled_decay(), 0);
  EXPECT_LT(difference_of_decay(*decoupled, *bare, 0.01 * 0.03), 1e-14);
}

TEST_P(UpdateRules, StepsTakeTheSchedulesShareOfIndependentDecay) {
  const auto rule = make(decaying(WeightDecay::independent));
  const Moment at(*rule, as_float64);
  const Hyperparameters phi(rule->hyperparameters(), at.theta.size());
  TensorList whole = clone(at.theta);
  TensorList quarter = clone(at.theta);
  rule->step(whole, at.g, at.xi, phi.values());
  rule->step(quarter, at.g, at.xi, phi.values(), at::full({}, 0.25, at::kDouble));
  for (size_t i = 0; i < whole.size(); ++i) {
    const Tensor spared = quarter[i] - whole[i] - 0.75 * 0.03 * at.theta[i];
    EXPECT_LT(spared.abs().max().item<double>(), 1e-14);
  }
}

TEST_P(UpdateRules, CoupledDecayIsInTheGradientAlone) {
  const auto coupled = make(decaying(WeightDecay::coupled));
  EXPECT_EQ(coupled->coupled_decay(), 0.03);
  EXPECT_EQ(difference_of_decay(*coupled, *make({.learning_rate = 0.01}), 0), 0);
}

TEST(Rmsprop, BiasCorrectedStepsAndProposalsAreTheFormula) {
  const auto rule = make_rmsprop({.bias_correction = true}, kSetting);
  for (const bool in_place : {false, true}) {
    EXPECT_LT(difference_of_step(*rule, as_float64, in_place), 1e-14);
  }
}

/// The derivative of a proposal beside that of the graph through its formula: the largest relative
/// difference.
double difference_of_derivative(const UpdateRule& rule,
                                const std::vector<std::string>& tuned,
                                const Cast& cast) {
  const Moment at(rule, cast);
  const Hyperparameters phi(rule.hyperparameters(), tuned, {0, 0, 1, 1}, 2, at::kCPU);
  double largest = 0;
  for (const Momentum momentum : {Momentum::apply, Momentum::ignore}) {
    const TensorList ours =
        rule.differentiable({at.theta, at.g, at.xi, momentum}, phi).pull_back(at.v);
    const TensorList graph =
        rule.UpdateRule::differentiable({at.theta, at.g, at.xi, momentum}, phi).pull_back(at.v);
    for (size_t k = 0; k < graph.size(); ++k) {
      largest = std::max(largest, ((ours[k] - graph[k]) / graph[k]).abs().max().item<double>());
    }
  }
  return largest;
}

TEST_P(UpdateRules, DerivativesOfProposalsAreThoseOfTheFormula) {
  std::vector<std::string> tuned;
  for (const HyperparameterSpec& spec : rule_->hyperparameters()) {
    // With these there is the formula alone.
    if (spec.name == "power" || spec.name == "damping") continue;
    tuned.push_back(spec.name);
    for (const WeightDecay form : {WeightDecay::decoupled, WeightDecay::independent}) {
      EXPECT_LT(difference_of_derivative(*make(decaying(form)), tuned, as_float64), 1e-11);
    }
    EXPECT_LT(difference_of_derivative(*rule_, tuned, as_float64), 1e-11) << spec.name;
    EXPECT_LT(difference_of_derivative(*rule_, tuned, with_channels_last), 1e-11) << spec.name;
    // 90,000 summands of either sign, of which the graph adds up float32: 1e-7 of the largest sum.
    EXPECT_LT(difference_of_derivative(*rule_, tuned, as_float32), 1e-3) << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         UpdateRules,
                         testing::ValuesIn(test::names(update_rules())),
                         test::test_name);

}  // namespace
}  // namespace apo
