// The exact solver: J's minimiser along the step, without a meta-optimizer.
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "apo/objective/quadratic.h"
#include "apo/update/observe.h"
#include "support/quadratic_problem.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

ApoOptions exact() {
  ApoOptions options;
  options.solver = ApoOptions::Solver::exact;
  options.take_defaults();
  return options;
}

/// The smallest of a function with one minimum, by thirds in ln η.
double minimum_of(const std::function<double(double rate)>& f) {
  double below = std::log(1e-6);
  double above = std::log(1e4);
  for (int i = 0; i < 80; ++i) {
    const double third = (above - below) / 3;
    (f(std::exp(below + third)) < f(std::exp(above - third)) ? above : below) +=
        f(std::exp(below + third)) < f(std::exp(above - third)) ? -third : third;
  }
  return std::exp((below + above) / 2);
}

std::string word(ApoOptions::Descent descent) {
  if (descent == ApoOptions::Descent::own) return "own";
  return descent == ApoOptions::Descent::held_out ? "held_out" : "geometric";
}

/// A step's gradient with all that a tuner is told beside it. The i-th parameter has a rate of its
/// own or, of one group, all share it.
struct OneStep {
  OneStep(Problem& of, const UpdateRule& by, int64_t groups)
      : problem(of),
        rule(by),
        phi(by.hyperparameters(), {"learning_rate"}, groups_of(of, groups), groups, at::kCPU),
        xi(by.initial_statistics(of.network->parameters())),
        x(of.batches->next()),
        loss(loss_on(of, x)),
        g(observe(by, of, x, loss, xi)) {}

  TunerReport tune(Tuner& tuner, int64_t step, const TensorList& by, bool is_auto = true) {
    StepContext context{step, problem, rule, by, xi, x, loss};
    context.auto_learning_rate = is_auto;
    return tuner.before_step(context, phi);
  }
  /// In the early steps, in which the rate comes from a thousandth of where it is to be.
  void tune(Tuner& tuner) {
    for (int64_t step = 0; step < 25; ++step) tune(tuner, step, g);
  }
  PendingStep pending() { return {problem, rule, g, xi, x, x}; }
  double rate(int64_t group = 0) const { return phi.value(0)[group].item<double>(); }

  static std::vector<int64_t> groups_of(Problem& of, int64_t groups) {
    std::vector<int64_t> found(of.network->parameters().size());
    if (groups > 1) std::iota(found.begin(), found.end(), 0);
    return found;
  }

  Problem& problem;
  const UpdateRule& rule;
  Hyperparameters phi;
  Statistics xi;
  Batch x;
  Tensor loss;
  TensorList g;
};

using Case = std::tuple<std::string, ApoOptions::Descent>;

class ExactSolver : public testing::TestWithParam<Case> {};

/// ½ θᵀ H θ: what the model says of J is true, and every batch says the same.
TEST_P(ExactSolver, FindsTheMinimiserOfJ) {
  const auto rule = UpdateRuleChoice(update_rules(), std::get<0>(GetParam())).make(test::kSetting);
  for (const double lambda : {0.0, 0.01, 1.0}) {
    test::QuadraticProblem problem(at::tensor({3.0, 1.0, 1.0, 2.0}, at::kDouble).view({2, 2}),
                                   at::tensor({1.0, -2.0}, at::kDouble));
    ApoOptions options = exact();
    options.lambda = lambda;
    options.descent = std::get<1>(GetParam());
    options.memory = 0;
    const auto tuner = make_apo(options);
    OneStep step(problem, *rule, 1);
    step.tune(*tuner);
    const auto squared = make_squared_euclidean({});
    const PendingStep pending = step.pending();
    ProximalObjective objective(pending, *squared, {.lambda = lambda, .momentum = Momentum::apply});
    const double expected = minimum_of([&](double rate) {
      return objective.value(step.phi.values_with({0}, {at::full({1}, rate, at::kDouble)}));
    });
    EXPECT_NEAR(step.rate() / expected, 1, 1e-6) << "at λ = " << lambda;
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         ExactSolver,
                         testing::Combine(testing::ValuesIn(test::rules_of_points()),
                                          testing::Values(ApoOptions::Descent::own,
                                                          ApoOptions::Descent::held_out,
                                                          ApoOptions::Descent::geometric)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + word(std::get<1>(info.param));
                         });

/// Of ½ θᵀ H θ with two parameters that hang together: in turns along each of their rates.
TEST(Exact, RatesOfLayersAreTheMinimiserOfJ) {
  for (const std::string& name : test::rules_of_points()) {
    const auto rule = UpdateRuleChoice(update_rules(), name).make(test::kSetting);
    test::QuadraticProblem problem(
        at::tensor({3.0, 0.5, 0.2, 0.5, 2.0, 0.1, 0.2, 0.1, 1.0}, at::kDouble).view({3, 3}),
        {at::tensor({1.0, -2.0}, at::kDouble), at::tensor({1.5}, at::kDouble)});
    ApoOptions options = exact();
    options.lambda = 0.1;
    options.descent = ApoOptions::Descent::own;
    options.scope = ApoOptions::Scope::per_layer;
    options.memory = 0;
    const auto tuner = make_apo(options);
    OneStep step(problem, *rule, 2);
    step.tune(*tuner);
    const auto squared = make_squared_euclidean({});
    const PendingStep pending = step.pending();
    ProximalObjective objective(pending, *squared, {.lambda = 0.1, .momentum = Momentum::apply});
    std::array<double, 2> best = {0.1, 0.1};
    for (int turn = 0; turn < 8; ++turn) {
      for (double& rate : best) {
        rate = minimum_of([&](double at) {
          rate = at;
          return objective.value(
              step.phi.values_with({0}, {at::tensor({best[0], best[1]}, at::kDouble)}));
        });
      }
    }
    for (int64_t l = 0; l < 2; ++l) {
      EXPECT_NEAR(step.rate(l) / best[l], 1, 1e-5) << name << ", layer " << l;
    }
  }
}

/// The conditions of Karush, Kuhn and Tucker say so without another solver.
TEST(Exact, RatesOfLayersAreTheMinimiserAmongThoseThatAreNotNegative) {
  at::Generator generator = make_generator(3, RandomStream::model);
  for (int n = 0; n < 20; ++n) {
    const Tensor root = at::randn({5, 8}, generator, at::kDouble);
    const Tensor m = at::matmul(root, root.t());
    const Tensor a = at::randn({5}, generator, at::kDouble) * 3;
    const Tensor eta = nonnegative_minimiser(a, m, at::full({5}, 0.1, at::kDouble), 200);
    const Tensor slope = m.mv(eta) - a;
    for (int64_t l = 0; l < 5; ++l) {
      const auto rate = eta[l].item<double>();
      const auto at_it = slope[l].item<double>();
      EXPECT_GE(rate, 0);
      EXPECT_GT(at_it, -1e-6) << "a larger rate would be better";
      if (rate > 0) {
        EXPECT_LT(at_it, 1e-6) << "a smaller rate would be better";
      }
    }
  }
}

TEST(Exact, NeedsNoFirstRate) {
  std::vector<double> finals;
  for (const double first : {1e-6, 1e-2, 100.0}) {
    const auto tuner = make_apo(exact());
    const auto run = test::run(*tuner,
                               *make_sgdm({}, {.learning_rate = first}),
                               {.steps = 100, .auto_learning_rate = true});
    finals.push_back(run->summary.final_learning_rate);
    EXPECT_LT(run->summary.final_train->loss, 0.5 * run->trace.steps.front().loss);
  }
  EXPECT_EQ(finals[0], finals[1]);
  EXPECT_EQ(finals[0], finals[2]);
}

TEST(Exact, BeginsAtARateThatIsGiven) {
  for (const double given : {1e-6, 100.0}) {
    test::QuadraticProblem problem(at::tensor({1.0}, at::kDouble).view({1, 1}),
                                   at::tensor({1.0}, at::kDouble));
    const auto rule = make_sgd({}, {.learning_rate = given});
    const auto tuner = make_apo(exact());
    OneStep step(problem, *rule, 1);
    step.tune(*tuner, 0, step.g, false);
    EXPECT_NEAR(step.rate() / given, given < 1 ? 1.4 : 0.5, 1e-12);  // towards the minimiser, 1
  }
}

TEST(Exact, TakesAMetaStepInEachOfTheFirstStepsAndThenInEveryKth) {
  ApoOptions options = exact();
  options.interval = 7;
  const auto tuner = make_apo(options);
  const auto run = test::run(*tuner, *make_sgd({}, test::kSetting), {.steps = 40});
  std::vector<int64_t> steps;
  for (const MetaRecord& meta : run->trace.metas) {
    if (meta.step >= 20) steps.push_back(meta.step);
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{20, 21, 22, 23, 24, 28, 35}));
  EXPECT_EQ(run->trace.metas.size(), 27);
}

TEST(Exact, RatesRiseSlowlyAndFallFaster) {
  ApoOptions options = exact();
  options.interval = 1;
  options.memory = 0;
  const auto tuner = make_apo(options);
  const auto run = test::run(*tuner, *make_adam({}, test::kSetting), {.steps = 60});
  for (size_t i = 1; i < run->trace.tuned.size(); ++i) {
    const double change = run->trace.tuned[i] / run->trace.tuned[i - 1];
    EXPECT_LE(change, 1.4 * (1 + 1e-12));
    EXPECT_GE(change, 0.5 * (1 - 1e-12));
  }
}

TEST(Exact, TunesEachLayerOfEveryRule) {
  for (const std::string& name : test::tunable_rules()) {
    ApoOptions options = exact();
    options.scope = ApoOptions::Scope::per_layer;
    options.take_defaults();
    const auto tuner = make_apo(options);
    const auto rule = UpdateRuleChoice(update_rules(), name).make(test::kSetting);
    const auto run =
        test::run(*tuner,
                  *rule,
                  {.steps = 200, .auto_learning_rate = true, .schedule = make_linear_schedule({})});
    EXPECT_EQ(run->summary.status, RunStatus::finished) << name;
    EXPECT_LT(run->summary.final_train->loss, 0.7 * run->trace.steps.front().loss) << name;
    EXPECT_EQ(run->trace.metas.front().gradient.front().size(), 2) << name;
  }
}

/// The first layer's step does the second one's work, too, so that the second one's best rate is 0.
TEST(Exact, ALayerThatIsBetterLeftAloneKeepsARateToComeBackFrom) {
  const Tensor hessian = at::tensor({1.0, 0.9, 0.9, 1.0}, at::kDouble).view({2, 2});
  const Tensor g = at::tensor({1.0, 0.1}, at::kDouble);
  const Tensor start = at::matmul(at::linalg_inv(hessian), g);
  test::QuadraticProblem problem(hessian, {start.slice(0, 0, 1), start.slice(0, 1, 2)});
  ApoOptions options = exact();
  options.lambda = 0;
  options.scope = ApoOptions::Scope::per_layer;
  const auto tuner = make_apo(options);
  const auto rule = make_sgd({}, test::kSetting);
  OneStep step(problem, *rule, 2);
  step.tune(*tuner);
  const double of_all = 1.01 / (1 + 2 * 0.09 + 0.01);  // Σ a / Σ M
  EXPECT_NEAR(step.rate(0), 1, 1e-3);
  EXPECT_NEAR(step.rate(1), of_all / 1000, 1e-6);
}

TEST(Exact, AMetaStepThatIsNotFiniteChangesNothing) {
  test::QuadraticProblem problem(at::tensor({1.0}, at::kDouble).view({1, 1}),
                                 at::tensor({1.0}, at::kDouble));
  const auto rule = make_sgd({}, test::kSetting);
  const auto tuner = make_apo(exact());
  OneStep step(problem, *rule, 1);
  step.tune(*tuner, 0, step.g);
  const double before = step.rate();
  const TensorList broken = {step.g[0] * std::nan("")};
  const TunerReport report = step.tune(*tuner, 1, broken);
  EXPECT_EQ(step.rate(), before);
  std::vector<double> numbers = to_doubles(report.meta->tensors());
  const double* next = numbers.data();
  EXPECT_EQ(report.meta->read(next).skipped.front(), 1);
  step.tune(*tuner, 2, step.g);
  EXPECT_NEAR(step.rate() / before, 1.4, 1e-12);  // as if it had not been
}

}  // namespace
}  // namespace apo
