// What a run tells its observers, kept.
#pragma once

#include <memory>
#include <vector>

#include "apo/train/trainer.h"

namespace apo::test {

struct StepRecorder : Observer {
  void on_step(const StepRecord& record) override { steps.push_back(record); }
  std::vector<double> losses() const {
    std::vector<double> losses;
    for (const StepRecord& record : steps) losses.push_back(record.loss);
    return losses;
  }
  std::vector<double> rates() const {
    std::vector<double> rates;
    for (const StepRecord& record : steps) rates.push_back(record.learning_rate);
    return rates;
  }
  std::vector<StepRecord> steps;
};

/// The steps of a whole run.
inline StepRecorder record(Problem& problem,
                           const UpdateRule& rule,
                           Tuner& tuner,
                           const TrainOptions& options) {
  StepRecorder recorder;
  train(problem, rule, tuner, options, {&recorder});
  return recorder;
}

}  // namespace apo::test
