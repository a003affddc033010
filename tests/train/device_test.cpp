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
#include "support/every_tuner.h"
#include "support/fake_recorder.h"
#include "support/recorder.h"
#include "support/registry_names.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

/// Pictures of which the last batch of a pass has fewer.
std::unique_ptr<Problem> make_problem(const std::string& model, at::Device device) {
  const auto dataset = make_synthetic({.channels = 2, .height = 12, .width = 12, .classes = 3},
                                      {.root = {}, .train_examples = 30});
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  const ModelShape shape{.input = {2, 12, 12}, .outputs = 3};
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
      .make({.learning_rate = 1e-3,
             .weight_decay = 1e-3,
             .weight_decay_form = form,
             .clip_norm = 1,
             .clip_outliers = 1});
}

std::vector<std::string> recordable_rules() {
  std::vector<std::string> names;
  for (const std::string& name : test::names(update_rules())) {
    if (make_rule(name)->traits().recordable) names.push_back(name);
  }
  return names;
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
    const auto tuner = test::make_tuner(name);
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
                         testing::ValuesIn(test::names_with_defaults(models())),
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
  std::unique_ptr<Tuner> tuner_ = test::make_tuner(std::get<1>(GetParam()));
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
    const auto tuner = test::make_tuner(std::get<1>(GetParam()));
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
                                          testing::ValuesIn(test::tuner_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

TEST(Recording, IsNotForARuleThatDecidesOnTheHost) {
  const auto recorder = std::make_shared<test::FakeRecorder>();
  const auto problem = make_problem("small", at::kCPU);
  const auto rule = make_rule("kfac");
  test::record(*problem, *rule, *test::make_tuner("apo"), {.steps = 10, .recorder = recorder});
  EXPECT_EQ(recorder->replays, 0);
}

}  // namespace
}  // namespace apo
