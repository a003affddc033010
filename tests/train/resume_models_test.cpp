// A run of any model that is broken off, saved and gone on with equals one that never stopped, to
// the bit, in every precision and with any number of threads: LibTorch chooses its kernels by how
// tensors are laid out, so layouts have to come back, too.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "apo/checkpoint/checkpoint.h"
#include "apo/config/describe.h"
#include "apo/config/reader.h"
#include "apo/problem/supervised.h"
#include "apo/run/experiment.h"
#include "support/files.h"
#include "support/recorder.h"
#include "support/registry_names.h"

namespace apo {
namespace {

constexpr int64_t kStop = 3;
constexpr int64_t kSteps = 6;

/// A member of the registry, of its usual shape but narrow where that can be said.
std::shared_ptr<Model> make_model(const std::string& name, const ModelShape& shape) {
  Experiment experiment;
  experiment.model.choice.select(name);
  const auto options =
      describe([&](OptionVisitor& v) { experiment.model.choice.visit(v); }).options;
  const bool wide = std::any_of(
      options.begin(), options.end(), [](const auto& option) { return option.key == "width"; });
  Document document;
  document.set("model={name: " + name + (wide ? ", width: 4}" : "}"));
  document.set("train.steps=1");
  document.set("name=test");
  read_into(document, experiment);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  return experiment.model.choice.make(shape);
}

struct Side {
  Side(const std::string& model, const std::string& rule_name, Precision precision)
      : dataset(make_synthetic({1, 12, 12, 10}, {.root = {}, .train_examples = 40})),
        problem(make_supervised(make_model(model, {{1, 12, 12}, 10}),
                                *dataset,
                                {.batch_size = 8, .precision = precision})),
        rule(UpdateRuleChoice(update_rules(), rule_name).make({.learning_rate = 1e-2})),
        trainer(
            *problem, *rule, *tuner, {.steps = kSteps, .average = {.half_life = 0.2}}, {&trace}) {}

  static std::unique_ptr<Tuner> papers() {
    ApoOptions options;
    options.form = ApoOptions::Form::paper;
    options.interval = 2;
    return make_apo(options);
  }
  void visit_state(StateVisitor& visitor) { trainer.visit_state(visitor); }
  /// θ̄, and batch statistics of its own where the model has such.
  TensorList average() {
    TensorList values;
    trainer.with_average([&] {
      values = clone(problem->network->parameters());
      const TensorList buffers = clone(problem->network->buffers());
      values.insert(values.end(), buffers.begin(), buffers.end());
    });
    return values;
  }

  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Problem> problem;
  std::unique_ptr<UpdateRule> rule;
  std::unique_ptr<Tuner> tuner = papers();
  test::StepRecorder trace;
  Trainer trainer;
};

using Case = std::tuple<std::string, std::string, Precision, int>;

class ResumeModel : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { at::set_num_threads(std::get<int>(GetParam())); }
  void TearDown() override { at::set_num_threads(before_); }
  int before_ = at::get_num_threads();
};

TEST_P(ResumeModel, EqualsTheUninterruptedRun) {
  const auto& [model, rule, precision, threads] = GetParam();
  Side whole(model, rule, precision);
  Side second(model, rule, precision);
  {
    Side first(model, rule, precision);
    first.trainer.advance_to(kStop);
    const test::TemporaryFolder folder;
    write_checkpoint(
        folder.path(),
        {.config = {}, .state = state_of([&](StateVisitor& v) { first.visit_state(v); })});
    const Checkpoint read = read_checkpoint(folder / (checkpoint_name(0) + ".json"));
    restore(read.state, at::kCPU, [&](StateVisitor& v) { second.visit_state(v); });
  }
  whole.trainer.advance_to(kSteps);
  second.trainer.advance_to(kSteps);
  std::vector<double> rest = whole.trace.losses();
  rest.erase(rest.begin(), rest.begin() + kStop);
  EXPECT_EQ(second.trace.losses(), rest);
  const TensorList average = whole.average();
  const TensorList again = second.average();
  for (size_t i = 0; i < average.size(); ++i) EXPECT_TRUE(at::equal(again[i], average[i]));
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [model, rule, precision, threads] = info.param;
  const char* const precisions[] = {"float32", "tf32", "bfloat16", "float64"};
  return model + "_" + rule + "_" + precisions[static_cast<int>(precision)] + "_" +
         std::to_string(threads);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    ResumeModel,
    testing::Combine(testing::ValuesIn(test::names_with_defaults(models())),
                     testing::Values("rmsprop", "kfac"),
                     testing::Values(Precision::float32, Precision::bfloat16, Precision::float64),
                     testing::Values(1, 2)),
    name_of);

}  // namespace
}  // namespace apo
