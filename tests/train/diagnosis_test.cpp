// The warnings about how a tuner moves φ, each at the number of meta steps that it is told at.
#include "apo/train/diagnosis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace apo {
namespace {

/// A diagnosis with what it has told; a meta step before every tenth step, a loss of 1.
struct Patient {
  explicit Patient(DiagnosisOptions options = {.tuned = {"learning_rate"}, .proximal = true})
      : diagnosis(std::move(options),
                  [this](const WarningRecord& record) { told.push_back(record); }) {}

  void meta_step(double rate, double proximal = 0) {
    diagnosis.on_meta({.step = step, .objective = 1 + proximal, .loss_term = 1, .gradient = {}},
                      {{"learning_rate", step, rate}});
    base_step(rate);
    step += 9;
  }
  void base_step(double rate) {
    diagnosis.on_step({.step = step, .loss = loss, .learning_rate = rate});
    ++step;
  }
  void end_epoch() { diagnosis.on_epoch({.epoch = 1, .step = step, .train = {}, .test = {}}); }

  std::vector<std::string> kinds() const {
    std::vector<std::string> kinds;
    for (const WarningRecord& record : told) kinds.push_back(record.kind);
    return kinds;
  }

  std::vector<WarningRecord> told;
  int64_t step = 0;
  double loss = 1;
  Diagnosis diagnosis;
};

using Kinds = std::vector<std::string>;

DiagnosisOptions bounded() {
  return {.tuned = {"learning_rate"}, .ranges = {{"learning_rate", Range::between(0.01, 0.1)}}};
}

TEST(Diagnosis, TellsOfABoundAfterTenMetaStepsInARowThere) {
  Patient patient(bounded());
  for (int i = 0; i < 9; ++i) patient.meta_step(0.1 * (1 + 1e-15));
  patient.meta_step(0.09);
  for (int i = 0; i < 9; ++i) patient.meta_step(0.01);
  EXPECT_EQ(patient.kinds(), Kinds{});
  patient.meta_step(0.01);
  ASSERT_EQ(patient.kinds(), Kinds{"at_bound"});
  EXPECT_EQ(patient.told[0].step, 190);
  EXPECT_EQ(patient.told[0].message,
            "learning_rate has been at 0.01, the lower end of its range, for 10 meta steps: where "
            "that is no cap of yours, widen tuner.bounds.learning_rate; "
            "docs/troubleshooting.md#it-sits-at-a-bound");
  for (int i = 0; i < 200; ++i) patient.meta_step(i < 100 ? 0.05 : 0.1);
  EXPECT_EQ(patient.kinds(), (Kinds{"at_bound", "unmoved"}));  // once each; a bound does not count
}

TEST(Diagnosis, TellsOfAValueThatStandsAndNotOfOneThatMovesALittle) {
  Patient still;
  for (int i = 0; i < 50; ++i) still.meta_step(0.1);
  EXPECT_EQ(still.kinds(), Kinds{});
  still.meta_step(0.1 * (1 + 1e-7));  // the fiftieth that did not move it
  ASSERT_EQ(still.kinds(), Kinds{"unmoved"});
  EXPECT_EQ(still.told[0].step, 500);

  Patient slow;
  for (int i = 0; i < 500; ++i) slow.meta_step(0.1 * (1 + 1e-6 * i));
  EXPECT_EQ(slow.kinds(), Kinds{});
}

TEST(Diagnosis, TellsOfATenfoldEpochButNotOfTheFirstInWhichTheRateIsFound) {
  Patient patient;
  patient.meta_step(1e-6);
  patient.end_epoch();  // at step 10
  for (int i = 0; i < 10; ++i) patient.meta_step(1e-3);
  patient.end_epoch();  // at step 110
  patient.meta_step(1e-5);
  patient.meta_step(9.9e-3);
  patient.end_epoch();
  EXPECT_EQ(patient.kinds(), Kinds{});  // a way there and back is none
  patient.meta_step(9e-4);
  patient.end_epoch();
  EXPECT_EQ(patient.kinds(), Kinds{"runs_away"});
}

TEST(Diagnosis, TellsOfAProximalTermAboveHalfOfTheLossForTwentyMetaSteps) {
  Patient patient;
  for (int i = 0; i < 60; ++i) patient.meta_step(0.1 + i, i % 20 == 0 ? 0.5 : 0.51);
  EXPECT_EQ(patient.kinds(), Kinds{});
  patient.meta_step(0.1, 0.51);
  EXPECT_EQ(patient.kinds(), Kinds{"discrepancy"});

  Patient nan;
  for (int i = 0; i < 30; ++i) nan.meta_step(0.1 + i, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(nan.kinds(), Kinds{});
}

TEST(Diagnosis, SaysNothingOfARateThatNothingAsksForSinceAllIsLearned) {
  Patient patient;
  for (int i = 0; i < 100; ++i) {
    patient.meta_step(i < 60 ? 0.1 : 1e-6, 1);
    if (i % 10 == 9) patient.end_epoch();
    patient.loss = 0.009;
  }
  EXPECT_EQ(patient.kinds(), Kinds{});
}

TEST(Diagnosis, OfATunerWithoutMetaStepsCountsTenStepsAsOne) {
  DiagnosisOptions options = bounded();
  options.meta_steps = false;
  Patient patient(options);
  for (int i = 0; i < 99; ++i) patient.base_step(0.1);
  EXPECT_EQ(patient.kinds(), Kinds{});
  patient.base_step(0.1);
  EXPECT_EQ(patient.kinds(), Kinds{"at_bound"});
  for (int i = 0; i < 700; ++i) patient.base_step(0.05 + 1e-16 * i);  // hardly, but it moves
  EXPECT_EQ(patient.kinds(), Kinds{"at_bound"});
}

TEST(Diagnosis, GoesOnWhereItWasAndTellsNothingTwice) {
  Patient whole(bounded()), first(bounded()), second(bounded());
  const auto part = [](Patient& patient, int from, int to) {
    for (int i = from; i < to; ++i) patient.meta_step(i < 30 ? 0.1 : 0.05);
  };
  part(whole, 0, 90);
  ASSERT_EQ(whole.kinds(), (Kinds{"at_bound", "unmoved"}));
  for (const int stop : {5, 20, 60, 85}) {
    Patient from(bounded()), to(bounded());
    part(from, 0, stop);
    const State state = state_of([&](StateVisitor& v) { from.diagnosis.visit_state(v); });
    restore(state, at::kCPU, [&](StateVisitor& v) { to.diagnosis.visit_state(v); });
    to.step = from.step;
    part(to, stop, 90);
    Kinds both = from.kinds();
    for (const std::string& kind : to.kinds()) both.push_back(kind);
    EXPECT_EQ(both, whole.kinds()) << stop;
  }
}

TEST(Diagnosis, BeginsAnewWithTheCheckpointOfAProgramThatHadNone) {
  Patient patient;
  restore(State{}, at::kCPU, [&](StateVisitor& v) { patient.diagnosis.visit_state(v); });
  patient.meta_step(0.1);
  EXPECT_EQ(patient.kinds(), Kinds{});
}

}  // namespace
}  // namespace apo
