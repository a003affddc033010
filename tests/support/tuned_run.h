// A short run of a tuner on the tiny problem, with all that its observers were told.
#pragma once

#include <memory>
#include <vector>

#include "apo/train/trainer.h"
#include "apo/tuning/meta_optimizer.h"
#include "support/recorder.h"
#include "support/tiny_problem.h"

namespace apo::test {

struct MetaRecorder : StepRecorder {
  void on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) override {
    metas.push_back(record);
    tuned.push_back(values.front().value);
  }
  std::vector<MetaRecord> metas;
  std::vector<double> tuned;
};

struct Run {
  TinyProblem problem;
  MetaRecorder trace;
  RunSummary summary;
};

inline std::unique_ptr<Run> run(Tuner& tuner, const UpdateRule& rule, const TrainOptions& options) {
  auto result = std::make_unique<Run>();
  result->summary = train(result->problem, rule, tuner, options, {&result->trace});
  return result;
}

inline std::vector<double> rates(const Run& run) {
  return run.trace.rates();
}

/// The update rules that tuners are for.
inline std::vector<std::string> tunable_rules() {
  std::vector<std::string> names;
  for (const auto& member : update_rules()) {
    if (!member.recipe()->make({})->traits().own_rates) names.push_back(member.name);
  }
  return names;
}

inline const RuleSetting kSetting{.learning_rate = 0.05};

/// Those that need no layers, of which a point has none.
inline std::vector<std::string> rules_of_points() {
  std::vector<std::string> names = tunable_rules();
  std::erase_if(names, [](const std::string& name) {
    return UpdateRuleChoice(update_rules(), name).make(kSetting)->traits().needs_curvature;
  });
  return names;
}

/// The paper's form, as the configuration selects it.
inline ApoOptions papers() {
  ApoOptions options;
  options.form = ApoOptions::Form::paper;
  options.take_defaults();
  return options;
}

}  // namespace apo::test
