#include "apo/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/recorder.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

struct Recorder : test::StepRecorder {
  void on_epoch(const EpochRecord& record) override { epochs.push_back(record); }
  void on_end(const RunSummary&) override { ++ends; }
  std::vector<EpochRecord> epochs;
  int ends = 0;
};

RunSummary train_sgd(Problem& problem, double rate, const TrainOptions& options, Recorder& trace) {
  const auto rule = make_sgd({}, {.learning_rate = rate});
  const auto tuner = make_constant({});
  return train(problem, *rule, *tuner, options, {&trace});
}

TEST(Trainer, TheLoggedLossIsTheLossBeforeTheStep) {
  test::TinyProblem problem, twin;
  Recorder trace;
  const Batch x = twin.batches->next();
  const double first = twin.loss->value(twin.network->forward(x.inputs), x).item<double>();
  train_sgd(problem, 0.5, {.steps = 1}, trace);
  EXPECT_EQ(trace.steps[0].loss, first);
}

TEST(Trainer, RunningMetricsAreMeansOverTheStepsOfTheEpoch) {
  test::TinyProblem problem;
  Recorder trace;
  train_sgd(problem, 0.1, {.steps = 20}, trace);
  ASSERT_EQ(trace.epochs.size(), 2);
  double sum = 0;
  for (size_t t = 10; t < 20; ++t) sum += trace.steps[t].loss;
  EXPECT_NEAR(trace.epochs[1].train.loss, sum / 10, 1e-14);
  EXPECT_EQ(trace.epochs[1].step, 20);
}

TEST(Trainer, LearnsWhatTheInputsDetermine) {
  test::TinyProblem problem;
  Recorder trace;
  const RunSummary summary = train_sgd(problem, 0.5, {.steps = 500}, trace);
  EXPECT_LT(trace.epochs.back().train.loss, 0.5 * trace.epochs.front().train.loss);
  EXPECT_EQ(summary.status, RunStatus::finished);
  EXPECT_EQ(summary.steps, 500);
  EXPECT_EQ(trace.ends, 1);
}

TEST(Trainer, EvaluatesEveryNEpochsAndAtTheEnd) {
  test::TinyProblem problem;
  Recorder trace;
  train_sgd(problem, 0.1, {.steps = 50, .evaluate_every = 2}, trace);
  std::vector<bool> evaluated;
  for (const EpochRecord& epoch : trace.epochs) evaluated.push_back(epoch.test.has_value());
  EXPECT_EQ(evaluated, (std::vector<bool>{false, true, false, true, true}));
}

TEST(Trainer, AnUnfinishedEpochAtTheEndIsRecorded) {
  test::TinyProblem problem;
  Recorder trace;
  train_sgd(problem, 0.1, {.steps = 14}, trace);
  ASSERT_EQ(trace.epochs.size(), 2);
  EXPECT_EQ(trace.epochs[1].epoch, 2);
  EXPECT_EQ(trace.epochs[1].step, 14);
}

TEST(Trainer, FullTrainMetricsComeFromAPassOverTheTrainingSet) {
  test::TinyProblem problem;
  Recorder trace;
  train_sgd(problem, 0.1, {.steps = 10, .train_metrics = TrainMetrics::full}, trace);
  const Batch all = problem.train->slice(0, problem.train->size());
  EXPECT_NEAR(trace.epochs[0].train.loss, loss_on(problem, all).item<double>(), 1e-14);
}

TEST(Trainer, ALossThatIsNotFiniteEndsTheRunAsDiverged) {
  test::TinyProblem problem;
  Recorder trace;
  const RunSummary summary = train_sgd(problem, 1e308, {.steps = 100}, trace);
  EXPECT_EQ(summary.status, RunStatus::diverged);
  EXPECT_FALSE(std::isfinite(trace.steps.back().loss));
  EXPECT_EQ(summary.steps, trace.steps.back().step);
  EXPECT_NE(summary.message.find("at step"), std::string::npos) << summary.message;
  EXPECT_NE(summary.message.find("try a smaller optimizer.learning_rate"), std::string::npos);
}

TEST(Trainer, StopsBetweenStepsWhenInterrupted) {
  test::TinyProblem problem;
  Recorder trace;
  TrainOptions options{.steps = 100};
  options.interrupted = [&] { return trace.steps.size() == 7; };
  const RunSummary summary = train_sgd(problem, 0.1, options, trace);
  EXPECT_EQ(summary.status, RunStatus::interrupted);
  EXPECT_EQ(trace.steps.size(), 7);
  EXPECT_EQ(trace.ends, 1);
}

}  // namespace
}  // namespace apo
