// What training on a device relies on, seen without one: that no step looks at a number on the
// host, that what is recorded stays at its address, and that replayed steps are those of a run
// without recordings.
#include <ATen/Context.h>
#include <ATen/ExpandUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <atomic>
#include <map>

#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "support/fake_recorder.h"
#include "support/recorder.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

/// Pictures of which the last batch of a pass has fewer.
std::unique_ptr<Problem> make_problem(const std::string& model, at::Device device) {
  const auto dataset = make_synthetic({.channels = 2, .height = 12, .width = 12, .classes = 3},
                                      {.root = {}, .train_examples = 30});
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  const ModelShape shape{.channels = 2, .height = 12, .width = 12, .classes = 3};
  const bool small = model == "small";
  return make_supervised(small ? make_mlp({.hidden = {6}}, shape)
                               : ChoiceOf<Model, const ModelShape&>(models(), model).make(shape),
                         *dataset,
                         {.batch_size = 7,
                          .augmentation = Augmentation::crop_flip,
                          .precision = Precision::float64,
                          .device = device});
}

std::unique_ptr<UpdateRule> make_rule(const std::string& name,
                                      WeightDecay form = WeightDecay::automatic) {
  return UpdateRuleChoice(update_rules(), name)
      .make(
          {.learning_rate = 1e-3, .weight_decay = 1e-3, .weight_decay_form = form, .clip_norm = 1});
}

using Scope = ApoOptions::Scope;

/// APO in the paper's form, which makes all its decisions on the device.
std::unique_ptr<Tuner> make_papers_apo(Scope scope = Scope::global) {
  ApoOptions options = test::papers();
  options.scope = scope;
  options.interval = 2;
  return make_apo(options);
}

std::vector<std::string> recordable_rules() {
  std::vector<std::string> names;
  for (const std::string& name : test::names(update_rules())) {
    if (make_rule(name)->traits().recordable) names.push_back(name);
  }
  return names;
}

std::vector<std::string> tuner_names() {
  std::vector<std::string> names = test::names(tuners());
  names.insert(names.end(), {"apo_per_layer", "apo_robust", "apo_exact", "apo_exact_per_layer"});
  return names;
}

std::unique_ptr<Tuner> make_exact_apo(Scope scope) {
  ApoOptions options;
  options.solver = ApoOptions::Solver::exact;
  options.scope = scope;
  options.take_defaults();
  options.interval = 2;
  return make_apo(options);
}

std::unique_ptr<Tuner> make_tuner(const std::string& name) {
  if (name == "apo") return make_papers_apo();
  if (name == "apo_per_layer") return make_papers_apo(Scope::per_layer);
  if (name == "apo_robust") return make_apo({});
  if (name == "apo_exact") return make_exact_apo(Scope::global);
  if (name == "apo_exact_per_layer") return make_exact_apo(Scope::per_layer);
  if (name == "hypergradient") {
    HypergradientOptions options;
    options.rate = 1e-6;  // the default ruins what RMSprop trains
    return make_hypergradient(options);
  }
  if (name == "step_decay") {
    return make_step_decay({.every = 3, .milestones = {}, .unit = StepDecayOptions::Unit::steps});
  }
  return ChoiceOf<Tuner>(tuners(), name).make();
}

/// LibTorch leaves this one to Python.
Tensor where_of_shapes(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const auto sizes = at::infer_size(at::infer_size(condition.sizes(), a.sizes()), b.sizes());
  return at::empty(sizes, a.options().device(at::kMeta));
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("where.self", &where_of_shapes);
}

class RecordableRules : public testing::TestWithParam<std::string> {};

// Tensors of the meta device have shapes and no numbers: whoever looks at one gets an exception.
// The log looks at the end, and not before.
TEST_P(RecordableRules, LookAtNoNumberOnTheHost) {
  for (const char* name :
       {"apo", "apo_per_layer", "apo_exact", "apo_exact_per_layer", "movement"}) {
    test::TinyProblem problem(0, at::kMeta);
    const bool per_layer = std::string(name).ends_with("per_layer");
    const auto form = per_layer ? WeightDecay::independent : WeightDecay::automatic;
    const auto rule = make_rule(GetParam(), form);
    const auto tuner = make_tuner(name);
    Trainer trainer(problem, *rule, *tuner, {.steps = 100, .average = {.half_life = 0.1}}, {});
    EXPECT_THROW(trainer.advance_to(9), c10::Error);
    EXPECT_EQ(trainer.steps_taken(), 9);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         RecordableRules,
                         testing::ValuesIn(recordable_rules()),
                         test::test_name);

/// Counts the numbers that are looked at on the host while it lives.
class Looks {
 public:
  Looks() : handle_(at::addGlobalCallback(at::RecordFunctionCallback(&note))) { count = 0; }
  ~Looks() { at::removeCallback(handle_); }
  static inline std::atomic<int> count;

 private:
  static std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& function) {
    count += std::string(function.name()) == "aten::_local_scalar_dense";
    return nullptr;
  }
  at::CallbackHandle handle_;
};

class ModelsOnADevice : public testing::TestWithParam<std::string> {};

TEST_P(ModelsOnADevice, LookAtNoNumberOnTheHost) {
  const auto problem = make_problem(GetParam(), at::kCPU);
  const Looks looks;
  const Batch x = problem->batches->next();
  const Tensor z = problem->network->forward(x.inputs);
  gradient(problem->loss->value(z, x), problem->network->parameters());
  problem->loss->correct(z, x);
  EXPECT_EQ(Looks::count, 0);
  z.sum().item<double>();
  EXPECT_EQ(Looks::count, 1);
}

INSTANTIATE_TEST_SUITE_P(All,
                         ModelsOnADevice,
                         testing::ValuesIn(test::names(models())),
                         test::test_name);

/// Where everything lies that a run remembers.
class Addresses : public StateVisitor {
 public:
  bool restores() const override { return false; }
  void integer(const std::string&, int64_t&) override {}
  void real(const std::string&, double&) override {}
  void text(const std::string&, std::string&) override {}
  void tensor(const std::string& name, Tensor& value) override {
    if (value.defined()) at[path(name)] = value.data_ptr();
  }
  void shared(const std::string& name, Tensor& value) override { tensor(name, value); }
  std::map<std::string, void*> at;
};

class RecordableRuns : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  std::unique_ptr<UpdateRule> rule_ = make_rule(std::get<0>(GetParam()));
  std::unique_ptr<Tuner> tuner_ = make_tuner(std::get<1>(GetParam()));
};

TEST_P(RecordableRuns, KeepWhatTheyRememberAtItsAddress) {
  const auto problem = make_problem("small", at::kCPU);
  Trainer trainer(*problem, *rule_, *tuner_, {.steps = 100}, {});
  const auto addresses = [&trainer] {
    Addresses visitor;
    trainer.visit_state(visitor);
    // The tuner's own, which no recording reads.
    std::erase_if(visitor.at, [](const auto& item) { return item.first.starts_with("tuner/u"); });
    return visitor.at;
  };
  trainer.advance_to(3);
  const auto before = addresses();
  EXPECT_GT(before.size(), 4);
  trainer.advance_to(12);
  EXPECT_EQ(addresses(), before);
}

TEST_P(RecordableRuns, AreTheSameReplayed) {
  const auto losses = [this](std::shared_ptr<Recorder> recorder) {
    const auto problem = make_problem("small", at::kCPU);
    const auto tuner = make_tuner(std::get<1>(GetParam()));
    return test::record(*problem, *rule_, *tuner, {.steps = 30, .recorder = std::move(recorder)})
        .losses();
  };
  const auto recorder = std::make_shared<test::FakeRecorder>();
  EXPECT_EQ(losses(recorder), losses(nullptr));
  EXPECT_GT(recorder->replays, 30);
}

INSTANTIATE_TEST_SUITE_P(All,
                         RecordableRuns,
                         testing::Combine(testing::ValuesIn(recordable_rules()),
                                          testing::ValuesIn(tuner_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

TEST(Recording, IsNotForARuleThatDecidesOnTheHost) {
  const auto recorder = std::make_shared<test::FakeRecorder>();
  const auto problem = make_problem("small", at::kCPU);
  const auto rule = make_rule("kfac");
  test::record(*problem, *rule, *make_papers_apo(), {.steps = 10, .recorder = recorder});
  EXPECT_EQ(recorder->replays, 0);
}

}  // namespace
}  // namespace apo
