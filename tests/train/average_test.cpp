#include "apo/train/average.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "apo/trace/lines.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

/// Σ wₛ θₛ of iterates s = 1 … t, all up to s having the weight 2^(ln(s/t) / −ln(1 − h)): half of
/// it for s = (1 − h) t.
Tensor weighted_mean(const std::vector<Tensor>& iterates, double half_life) {
  const auto up_to = [&](size_t s) {
    const double share = static_cast<double>(s) / static_cast<double>(iterates.size());
    return s == 0 ? 0 : std::exp2(std::log(share) / -std::log(1 - half_life));
  };
  Tensor sum = at::zeros_like(iterates.front());
  for (size_t s = 0; s < iterates.size(); ++s) sum += iterates[s] * (up_to(s + 1) - up_to(s));
  return sum;
}

/// θ̄ of a run.
TensorList average_of(Trainer& trainer, Problem& problem) {
  TensorList values;
  trainer.with_average([&] { values = clone(problem.network->parameters()); });
  return values;
}

/// The one number that `values` after each step average to.
double average_of(const std::vector<double>& values, double half_life) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  WeightAverage average({.half_life = half_life}, {at::zeros({1}, options)});
  int64_t steps = 0;
  for (const double value : values) average.add({at::full({1}, value, options)}, ++steps);
  Problem problem;
  problem.network = make_point(at::zeros({1}, options));
  double mean = 0;
  average.lend_to(problem, [&] { mean = to_double(problem.network->parameters()[0]); });
  return mean;
}

TEST(WeightAverage, HalfOfTheWeightLiesWithinTheLastShareOfTheSteps) {
  for (const double half_life : {0.05, 0.1, 0.5, 0.9}) {
    for (const int64_t steps : {20, 100, 5000}) {
      std::vector<double> late(static_cast<size_t>(steps), 1);
      const auto before = std::llround((1 - half_life) * static_cast<double>(steps));
      std::fill(late.begin(), late.begin() + before, 0);
      EXPECT_NEAR(average_of(late, half_life), 0.5, 1e-11) << half_life << " of " << steps;
    }
  }
}

TEST(WeightAverage, WithAHalfLifeOfOneHalfItIsThePlainMean) {
  EXPECT_NEAR(average_of({1, 2, 4, 9}, 0.5), 4, 1e-14);
}

TEST(WeightAverage, TheFirstStepCountsWholly) {
  EXPECT_EQ(average_of({7}, 0.1), 7);
  EXPECT_EQ(average_of({7}, 1e-300), 7);  // κ is infinite
  EXPECT_EQ(average_of({7, 8}, 1e-300), 8);
}

/// Keeps θ after each step.
struct Iterates : test::StepRecorder {
  explicit Iterates(Problem& of) : problem(of) {}
  void on_step(const StepRecord& record) override {
    StepRecorder::on_step(record);
    values.push_back(problem.network->parameters()[0].detach().clone());
  }
  void on_epoch(const EpochRecord& record) override { epochs.push_back(record); }
  Problem& problem;
  std::vector<Tensor> values;
  std::vector<EpochRecord> epochs;
};

/// One side of a comparison.
struct Side {
  Side(const std::string& tuner_name, double half_life)
      : tuner(ChoiceOf<Tuner>(tuners(), tuner_name).make()),
        trainer(problem,
                *rule,
                *tuner,
                {.steps = 34,
                 .evaluate_every = 2,
                 .train_metrics = TrainMetrics::full,
                 .average = {.half_life = half_life}},
                {&trace}) {}

  test::TinyProblem problem;
  std::unique_ptr<UpdateRule> rule = make_sgdm({}, test::kSetting);
  std::unique_ptr<Tuner> tuner;
  Iterates trace{problem};
  Trainer trainer;
};

class AverageWith : public testing::TestWithParam<std::string> {};

TEST_P(AverageWith, IsTheWeightedMeanOfTheStepsWithoutChangingThem) {
  Side with(GetParam(), 0.2);
  Side without(GetParam(), 0);
  for (Side* side : {&with, &without}) side->trainer.advance_to(34);
  EXPECT_EQ(with.trace.losses(), without.trace.losses());
  EXPECT_EQ(with.trace.rates(), without.trace.rates());
  for (size_t i = 0; i < with.problem.network->parameters().size(); ++i) {
    EXPECT_TRUE(
        at::equal(with.problem.network->parameters()[i], without.problem.network->parameters()[i]));
  }
  const TensorList averaged = average_of(with.trainer, with.problem);
  ASSERT_EQ(averaged.size(), 4);
  const Tensor expected = weighted_mean(with.trace.values, 0.2);
  EXPECT_LT((averaged[0] - expected).abs().max().item<double>(), 1e-13);
  EXPECT_TRUE(average_of(without.trainer, without.problem).empty());
}

INSTANTIATE_TEST_SUITE_P(All,
                         AverageWith,
                         testing::ValuesIn(test::names_with_defaults(tuners())),
                         test::test_name);

TEST(Average, IsMeasuredWhereverTheWeightsAre) {
  Side side("constant", 0.2);
  side.trainer.advance_to(34);
  const auto& epochs = side.trace.epochs;
  ASSERT_EQ(epochs.size(), 4);
  for (const EpochRecord& epoch : epochs) {
    ASSERT_TRUE(epoch.average);
    EXPECT_TRUE(epoch.average->train);
    EXPECT_EQ(epoch.average->test.has_value(), epoch.test.has_value());
  }
  side.trainer.with_average([&] {
    EXPECT_EQ(epochs.back().average->test->loss, evaluate(side.problem, Part::test)->loss);
    EXPECT_EQ(epochs.back().average->train->loss, evaluate(side.problem, Part::train)->loss);
  });
  EXPECT_NE(epochs.back().average->test->loss, epochs.back().test->loss);
  const RunSummary summary = side.trainer.conclude();
  EXPECT_EQ(summary.final_average->test->loss, epochs.back().average->test->loss);
  double least = epochs.front().train.loss;  // of the weights, whatever their average reaches
  for (const EpochRecord& epoch : epochs) least = std::min(least, epoch.train.loss);
  EXPECT_EQ(summary.best_train_loss, least);
}

TEST(Average, OffItLeavesNoTrace) {
  Side side("constant", 0);
  side.trainer.advance_to(34);
  EXPECT_FALSE(side.trace.epochs.back().average);
  EXPECT_EQ(line_of(side.trace.epochs.back()).find("average"), std::string::npos);
  EXPECT_FALSE(side.trainer.conclude().final_average);
  const State state = state_of([&](StateVisitor& v) { side.trainer.visit_state(v); });
  for (const auto& [name, tensor] : state.tensors)
    EXPECT_EQ(name.find("average"), std::string::npos);
  for (const auto& [name, value] : state.values) EXPECT_EQ(name.find("average"), std::string::npos);
}

TEST(Average, IsCopiedWithTheRun) {
  Side from("constant", 0.2), to("constant", 0.2);
  from.trainer.advance_to(20);
  to.trainer.advance_to(10);
  to.trainer.copy_from(from.trainer);
  for (Side* side : {&from, &to}) side->trainer.advance_to(34);
  const TensorList expected = average_of(from.trainer, from.problem);
  // The copy's stream is its own: it has seen ten batches, the other twenty.
  EXPECT_FALSE(at::equal(average_of(to.trainer, to.problem)[0], expected[0]));
  Side again("constant", 0.2);
  again.trainer.copy_from(from.trainer);
  EXPECT_TRUE(at::equal(average_of(again.trainer, again.problem)[0], expected[0]));
}

TEST(Average, IsNotThatOfAnInterruptedRun) {
  Side side("constant", 0.2);
  side.trainer.advance_to(20);
  EXPECT_TRUE(average_of(side.trainer, side.problem).empty());
}

/// Pictures through batch statistics, with augmentation that draws numbers.
struct Pictures {
  explicit Pictures(double half_life)
      : problem(make_supervised(
            std::shared_ptr<Model>(seeded()),
            *make_synthetic({3, 8, 8, 10}, {.root = {}, .train_examples = 60, .test_examples = 20}),
            {.batch_size = 20, .augmentation = Augmentation::crop_flip})),
        trainer(
            *problem,
            *rule,
            *tuner,
            {.steps = 9, .train_metrics = TrainMetrics::full, .average = {.half_life = half_life}},
            {&trace}) {
    trainer.advance_to(9);
  }
  static std::unique_ptr<Model> seeded() {
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
    generator.set_current_seed(0);
    return make_resnet18({.width = 2}, {{3, 8, 8}, 10});
  }

  std::unique_ptr<Problem> problem;
  std::unique_ptr<UpdateRule> rule = make_sgd({}, {.learning_rate = 0.1});
  std::unique_ptr<Tuner> tuner = make_constant({});
  Iterates trace{*problem};
  Trainer trainer;
};

TEST(Average, LeavesTheRunsBatchStatisticsAndStreamsUntouched) {
  Pictures with(0.1), without(0);
  EXPECT_EQ(with.trace.losses(), without.trace.losses());
  for (size_t e = 0; e < 3; ++e) {
    EXPECT_EQ(with.trace.epochs[e].test->loss, without.trace.epochs[e].test->loss);
    EXPECT_EQ(with.trace.epochs[e].train.loss, without.trace.epochs[e].train.loss);
  }
  for (size_t i = 0; i < with.problem->network->buffers().size(); ++i) {
    EXPECT_TRUE(
        at::equal(with.problem->network->buffers()[i], without.problem->network->buffers()[i]));
  }
}

TEST(Average, IsEvaluatedWithBatchStatisticsOfItsOwn) {
  Pictures pictures(0.1);
  Problem& problem = *pictures.problem;
  const TensorList of_run = clone(problem.network->buffers());
  pictures.trainer.with_average([&] {
    // As a network with these weights has them, whatever it has trained on before.
    const TensorList estimated = clone(problem.network->buffers());
    EXPECT_FALSE(at::equal(estimated[0], of_run[0]));
    ASSERT_TRUE(estimate_statistics(problem, [] { return false; }));
    for (size_t i = 0; i < estimated.size(); ++i) {
      EXPECT_TRUE(at::equal(problem.network->buffers()[i], estimated[i]));
    }
    EXPECT_EQ(evaluate(problem, Part::test)->loss, pictures.trace.epochs[2].average->test->loss);
  });
}

}  // namespace
}  // namespace apo
