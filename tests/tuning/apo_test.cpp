#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apo/base/error.h"
#include "apo/tuning/rate_search.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::papers;
using test::rates;
using test::run;

struct Seen {
  double objective;
  bool skipped;
};

Seen seen(const TunerReport& report) {
  const std::vector<double> numbers = to_doubles(report.meta->tensors());
  const double* next = numbers.data();
  const MetaTerms<Numbers> terms = report.meta->read(next);
  return {terms.objective.front(), terms.skipped.front() != 0};
}

TEST(ApoTuner, ThePapersFirstMetaStepMovesLogRateByTenMetaRates) {
  // Without bias correction s = (1 − γ) G², so the first step of the meta-optimizer is 0.1 / √0.01
  // = 1.
  const auto apo = run(*make_apo(papers()), *make_sgd({}, kSetting), {.steps = 1});
  const double gradient = apo->trace.metas[0].gradient[0][0];
  EXPECT_NEAR(std::log(apo->trace.tuned[0] / 0.05), gradient < 0 ? 1 : -1, 1e-5);
}

TEST(ApoTuner, TheRobustFormsFirstMetaStepMovesLogRateByTheMetaRate) {
  const auto apo = run(*make_apo({}), *make_sgd({}, {.learning_rate = 0.5}), {.steps = 1});
  EXPECT_NEAR(std::abs(std::log(apo->trace.tuned[0] / 0.5)), 0.1, 1e-5);
}

TEST(ApoTuner, ARateThatIsNotTunedStaysWhateverTheObjectiveSays) {
  ApoOptions options = papers();
  options.tune = {"epsilon"};
  const auto apo =
      run(*make_apo(options), *make_rmsprop({}, {.learning_rate = 1e300}), {.steps = 1});
  ASSERT_TRUE(apo->trace.metas[0].skipped);
  EXPECT_EQ(rates(*apo)[0], 1e300);
}

TEST(ApoTuner, SgdAsMetaOptimizerIsAlgorithm1) {
  ApoOptions options = papers();
  options.meta_optimizer.select("sgd");
  options.meta_learning_rate = 0.5;
  const auto apo = run(*make_apo(options), *make_sgd({}, kSetting), {.steps = 1});
  const double gradient = apo->trace.metas[0].gradient[0][0];
  EXPECT_NEAR(std::log(apo->trace.tuned[0]), std::log(0.05) - 0.5 * gradient, 1e-14);
}

TEST(ApoTuner, PerLayerRatesMoveApartAndAreNamedByTheirModules) {
  ApoOptions options;
  options.scope = ApoOptions::Scope::per_layer;
  struct Names : Observer {
    void on_meta(const MetaRecord&, const std::vector<HyperparameterRecord>& values) override {
      latest = values;
    }
    std::vector<HyperparameterRecord> latest;
  } trace;
  test::TinyProblem problem;
  const auto tuner = make_apo(options);
  train(problem, *make_sgd({}, kSetting), *tuner, {.steps = 100}, {&trace});
  ASSERT_EQ(trace.latest.size(), 2);
  EXPECT_EQ(trace.latest[0].name, "learning_rate/fc1");
  EXPECT_EQ(trace.latest[1].name, "learning_rate/fc2");
  EXPECT_NE(trace.latest[0].value, trace.latest[1].value);
}

TEST(ApoTuner, TunesEveryHyperparameterThatIsAskedFor) {
  ApoOptions options;
  options.tune = {"learning_rate", "power", "epsilon"};
  const auto apo =
      run(*make_apo(options), *make_rmsprop({}, {.learning_rate = 1e-3}), {.steps = 50});
  ASSERT_EQ(apo->trace.metas.back().gradient.size(), 3);
  for (const auto& gradient : apo->trace.metas.back().gradient) EXPECT_NE(gradient[0], 0);
}

TEST(ApoTuner, TheObjectiveIsTheLossPlusLambdaTimesTheDiscrepancy) {
  ApoOptions options;
  options.lambda = 0.25;
  const auto apo = run(*make_apo(options), *make_sgd({}, kSetting), {.steps = 21});
  for (const MetaRecord& meta : apo->trace.metas) {
    EXPECT_NEAR(meta.objective, meta.loss_term + 0.25 * meta.discrepancy, 1e-14);
    EXPECT_GT(meta.discrepancy, 0);
  }
}

/// Notes how many examples each forward pass sees.
struct CountingNetwork : test::TinyNetwork {
  Tensor forward(const Tensor& x) override {
    examples.push_back(x.size(0));
    return TinyNetwork::forward(x);
  }
  std::vector<int64_t> examples;
};

TEST(ApoTuner, ALeanMetaStepLooksAtAQuarterOfBothBatches) {
  ApoOptions options;
  for (const bool lean : {false, true}) {
    options.lean = lean;
    test::TinyProblem problem;
    auto counting = std::make_unique<CountingNetwork>();
    const std::vector<int64_t>& examples = counting->examples;
    problem.network = std::move(counting);
    train(problem,
          *make_sgd({}, kSetting),
          *make_apo(options),
          {.steps = 11, .evaluate_every = 0},
          {});
    const int64_t seen = lean ? 2 : 8;
    // The last step: x, then of the meta step x̃ at θ, x and x̃ at θ′.
    const std::vector<int64_t> last(examples.end() - 4, examples.end());
    EXPECT_EQ(last, (std::vector<int64_t>{8, seen, seen, seen}));
  }
}

TEST(ApoTuner, AnObjectiveThatIsNotFiniteCountsAsTooLargeAStep) {
  // θ′ overflows, though the loss before the step is finite.
  const ApoOptions options = papers();
  const auto rule = make_sgd({}, {.learning_rate = std::numeric_limits<double>::max()});
  test::TinyProblem problem;
  const auto tuner = make_apo(options);
  const Batch x = problem.batches->next();
  const Tensor loss = loss_on(problem, x);
  const TensorList g = gradient(loss, problem.network->parameters());
  const Statistics xi = rule->initial_statistics(problem.network->parameters());
  Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, {0, 0, 0, 0}, 1, at::kCPU);
  const auto before = phi.stored(0).item<double>();
  const Seen meta = seen(tuner->before_step({0, problem, *rule, g, xi, x, loss}, phi));
  ASSERT_TRUE(meta.skipped);
  EXPECT_NEAR(phi.stored(0).item<double>(), before - 0.1, 1e-12);

  // The meta-optimizer has not seen it: its first real step is as long as ever.
  phi.set(0, 0.05);
  const Seen next = seen(tuner->before_step({10, problem, *rule, g, xi, x, loss}, phi));
  ASSERT_FALSE(next.skipped);
  EXPECT_NEAR(std::abs(std::log(phi.value(0).item<double>() / 0.05)), 1, 1e-5);
}

TEST(ApoTuner, AFirstRateFarFromTheMinimumGivesWayToTheOneThatAutoFinds) {
  const auto sgd_from = [](double rate) { return make_sgd({}, {.learning_rate = rate}); };
  const auto found = run(*make_apo({}), *sgd_from(1), {.steps = 30, .auto_learning_rate = true});
  for (const double rate : {1e-7, 1e-5, 1e4}) {
    EXPECT_EQ(rates(*run(*make_apo({}), *sgd_from(rate), {.steps = 30})), rates(*found)) << rate;
    const double papers_first =
        rates(*run(*make_apo(papers()), *sgd_from(rate), {.steps = 1})).front();
    EXPECT_LT(std::abs(std::log(papers_first / rate)), 1.001) << rate;
  }
  const double near = rates(*run(*make_apo({}), *sgd_from(0.5), {.steps = 1})).front();
  EXPECT_LT(std::abs(std::log(near / 0.5)), 0.101);
}

TEST(ApoTuner, AStepThatWouldUndoTheTrainingIsSearchedAnewAndNotSeenByTheMetaOptimizer) {
  const auto rule = make_sgd({}, kSetting);
  test::TinyProblem problem;
  const auto tuner = make_apo({});
  const Batch x = problem.batches->next();
  const Tensor loss = loss_on(problem, x);
  const TensorList g = gradient(loss, problem.network->parameters());
  const Statistics xi = rule->initial_statistics(problem.network->parameters());
  Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, {0, 0, 0, 0}, 1, at::kCPU);
  phi.set(0, 1e3);
  const Seen meta = seen(tuner->before_step({10, problem, *rule, g, xi, x, loss}, phi));
  ASSERT_GT(meta.objective, 2 * loss.item<double>());
  EXPECT_TRUE(meta.skipped);
  const auto searched = phi.value(0).item<double>();
  EXPECT_LT(searched, 10);
  const Seen next = seen(tuner->before_step({20, problem, *rule, g, xi, x, loss}, phi));
  EXPECT_FALSE(next.skipped);
  EXPECT_LT(next.objective, loss.item<double>());
  // Its first step: as long as ever.
  EXPECT_NEAR(std::abs(std::log(phi.value(0).item<double>() / searched)), 0.1, 1e-5);
}

TEST(ApoTuner, ARuinedNetworkIsNotGivenEverSmallerRates) {
  // Far worse than the untrained one, whatever the step: the rate follows J's minimum, up as well.
  const auto rule = make_sgd({}, {.learning_rate = 0.5});
  test::TinyProblem problem;
  const auto tuner = make_apo({});
  const Statistics xi = rule->initial_statistics(problem.network->parameters());
  Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, {0, 0, 0, 0}, 1, at::kCPU);
  const auto meta_step = [&](int64_t t) {
    const Batch x = problem.batches->next();
    const Tensor loss = loss_on(problem, x);
    const TensorList g = gradient(loss, problem.network->parameters());
    return seen(tuner->before_step({t, problem, *rule, g, xi, x, loss}, phi));
  };
  EXPECT_FALSE(meta_step(10).skipped);
  problem.network->parameters()[3].detach() += at::arange(3, at::kDouble) * 100;
  phi.set(0, 1e-6);
  EXPECT_TRUE(meta_step(20).skipped);
  EXPECT_GT(phi.value(0).item<double>(), 1e-5);
}

TEST(ApoTuner, TheUntrainedLossIsTheFirstOneThoughTheFirstObjectiveBeNotFinite) {
  const auto rule = make_sgd({}, {.learning_rate = 0.5});
  test::TinyProblem problem;
  const auto tuner = make_apo({});
  const Statistics xi = rule->initial_statistics(problem.network->parameters());
  Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, {0, 0, 0, 0}, 1, at::kCPU);
  const Batch x = problem.batches->next();
  const auto meta_step_at = [&](int64_t t, double rate) {
    phi.set(0, rate);
    const Tensor loss = loss_on(problem, x);
    const TensorList g = gradient(loss, problem.network->parameters());
    return seen(tuner->before_step({t, problem, *rule, g, xi, x, loss}, phi));
  };
  EXPECT_FALSE(std::isfinite(meta_step_at(10, std::numeric_limits<double>::max()).objective));
  problem.network->parameters()[3].detach() += at::arange(3, at::kDouble) * 100;
  EXPECT_TRUE(meta_step_at(20, 1e-6).skipped);  // ruined, measured by the loss at the first one
}

TEST(ApoTuner, ATunedHyperparameterStaysWithinItsBounds) {
  ApoOptions options;
  options.lambda = 0;
  options.bounds["learning_rate"] = Range::between(0.04, 0.06);
  EXPECT_DOUBLE_EQ(rates(*run(*make_apo(options), *make_sgd({}, kSetting), {.steps = 60})).back(),
                   0.06);
  options.lambda = 1e4;
  EXPECT_DOUBLE_EQ(rates(*run(*make_apo(options), *make_sgd({}, kSetting), {.steps = 60})).back(),
                   0.04);
}

TEST(ApoTuner, ThroughMomentumTheObjectiveIsThatOfTheStepThatIsTaken) {
  // λ = 0: the objective at a meta step is the loss of its batch after the real update.
  ApoOptions options;
  options.lambda = 0;
  options.interval = 1;
  options.meta_learning_rate = 0;
  options.through_momentum = true;
  test::TinyProblem problem;
  const auto rule = make_sgdm({}, kSetting);
  struct LossAfter : Observer {
    void on_meta(const MetaRecord& meta, const std::vector<HyperparameterRecord>&) override {
      predicted = meta.objective;
    }
    double predicted = 0;
  } trace;
  test::TinyProblem batches;
  Batch last;
  for (int t = 0; t < 5; ++t) last = batches.batches->next();
  train(problem, *rule, *make_apo(options), {.steps = 5}, {&trace});
  EXPECT_NEAR(loss_on(problem, last).item<double>(), trace.predicted, 1e-14);
}

TEST(ApoTuner, RefusesADiscrepancyOfClassesForARegression) {
  test::TinyProblem problem;
  problem.loss = make_squared_error();
  ApoOptions options;
  make_apo(options)->check(problem);
  options.discrepancy = "kl";
  make_apo(options)->check(test::TinyProblem());
  try {
    make_apo(options)->check(problem);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_STREQ(error.what(),
                 "tuner.discrepancy = kl: the problem is a regression, whose outputs are no "
                 "log-probabilities; accepted: squared_euclidean, bregman or second_order");
  }
}

TEST(ApoTuner, AutoTakesTheMinimiserOfTheObjectiveOnTheGrid) {
  ApoOptions options;
  options.lambda = 0.1;
  options.meta_learning_rate = 0;
  const auto rule = make_sgd({}, {.learning_rate = 1e-3});
  const auto found = run(*make_apo(options), *rule, {.steps = 1, .auto_learning_rate = true});
  const double best = found->trace.steps[0].learning_rate;
  // The search draws its own x̃ first, and more examples than a step has, so compare with J
  // evaluated by hand on the same batches.
  test::TinyProblem problem;
  const Batch own = problem.batches->next();
  const Batch x = enough_examples(problem, own);
  const Batch x_tilde = enough_examples(problem, problem.discrepancy_batches->next());
  ASSERT_EQ(x.targets.size(0), 32);
  const TensorList theta = clone(problem.network->parameters());
  const TensorList g = gradient(loss_on(problem, own), problem.network->parameters());
  const auto objective = [&](double rate) {
    TensorList next;
    for (size_t i = 0; i < theta.size(); ++i) next.push_back(theta[i] - rate * g[i]);
    const Tensor moved = test::TinyNetwork::outputs_at(next, x_tilde.inputs) -
                         test::TinyNetwork::outputs_at(theta, x_tilde.inputs);
    return (problem.loss->value(test::TinyNetwork::outputs_at(next, x.inputs), x) +
            0.1 * moved.square().sum() / 32)
        .item<double>();
  };
  const double neighbour = std::pow(10, 0.25);
  EXPECT_LT(objective(best), objective(best * neighbour));
  EXPECT_LT(objective(best), objective(best / neighbour));
}

TEST(ApoTuner, AutoDividesByTheGainOfMomentum) {
  ApoOptions options;
  options.meta_learning_rate = 0;
  const TrainOptions train{.steps = 1, .auto_learning_rate = true};
  const auto sgd = run(*make_apo(options), *make_sgd({}, kSetting), train);
  const auto sgdm = run(*make_apo(options), *make_sgdm({}, kSetting), train);
  EXPECT_NEAR(rates(*sgd)[0] / rates(*sgdm)[0], 10, 1e-9);
}

}  // namespace
}  // namespace apo
