// Frozen parts of a network: no step, no meta step and no average moves them, and the rest trains
// as if it were all that there is to train.
#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "apo/model/model.h"
#include "apo/model/module_network.h"
#include "apo/problem/supervised.h"
#include "support/every_tuner.h"

namespace apo {
namespace {

using test::MetaRecorder;

void seed(uint64_t of = 0) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(of);
}

/// Three layers, of which the second is listed among the module's parameters or not.
class Sandwich : public torch::nn::Module {
 public:
  explicit Sandwich(bool lists_all) : lists_all_(lists_all) {
    register_module("fc1", fc1_);
    if (lists_all) register_module("fc2", fc2_);
    register_module("fc3", fc3_);
    fc2_->to(at::kDouble);
    if (lists_all) return;
    for (Tensor& parameter : fc2_->parameters()) parameter.requires_grad_(false);
  }

  Tensor forward(const Tensor& x) {
    const Tensor inner = tapped(fc1_, x).tanh();
    const Tensor middle = lists_all_ ? tapped(fc2_, inner) : fc2_->forward(inner);
    return tapped(fc3_, middle.tanh());
  }

 private:
  bool lists_all_;
  torch::nn::Linear fc1_{4, 5};
  torch::nn::Linear fc2_{5, 6};
  torch::nn::Linear fc3_{6, 3};
};

/// A run of nine steps on it.
struct Trained {
  Trained(bool lists_all,
          const std::vector<std::string>& frozen,
          const std::string& rule_name,
          const std::string& tuner_name) {
    seed();
    problem.network = network_of(std::make_shared<Sandwich>(lists_all),
                                 {.precision = Precision::float64, .frozen = frozen});
    before = clone(problem.network->buffers());
    const auto rule = UpdateRuleChoice(update_rules(), rule_name)
                          .make({.learning_rate = 0.01, .weight_decay = 1e-3, .clip_norm = 1});
    const auto tuner = test::make_tuner(tuner_name);
    Trainer trainer(problem, *rule, *tuner, {.steps = 9, .average = {.half_life = 0.2}}, {&trace});
    trainer.advance_to(9);
    trainer.with_average([&] { average = clone(problem.network->parameters()); });
  }

  test::TinyProblem problem;
  MetaRecorder trace;
  TensorList before;
  TensorList average;
};

bool are_equal(const TensorList& a, const TensorList& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) {
    return at::equal(x, y);
  });
}

/// Where there are buffers, as frozen parts are, J is differentiated for one batch after the other,
/// whose sum in float64 is rounded otherwise; of a difference 1e-16 nine steps leave less than
/// this.
constexpr double kRounding = 1e-9;

bool are_close(const TensorList& a, const TensorList& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) {
    return at::allclose(x, y, kRounding, kRounding);
  });
}

class FrozenParts : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(FrozenParts, StayAndTheRestTrainsAsIfTheyWereNoParameters) {
  const auto& [rule, tuner] = GetParam();
  const Trained frozen(true, {"fc2"}, rule, tuner);
  const Trained without(false, {}, rule, tuner);
  Network& network = *frozen.problem.network;
  EXPECT_EQ(network.buffer_names(), (std::vector<std::string>{"fc2.weight", "fc2.bias"}));
  EXPECT_TRUE(are_equal(network.buffers(), frozen.before));
  EXPECT_EQ(network.parameter_names(), without.problem.network->parameter_names());
  EXPECT_TRUE(are_close(network.parameters(), without.problem.network->parameters()));
  EXPECT_TRUE(are_close(frozen.average, without.average));
  using testing::DoubleNear;
  using testing::Pointwise;
  EXPECT_THAT(frozen.trace.losses(), Pointwise(DoubleNear(kRounding), without.trace.losses()));
  EXPECT_THAT(frozen.trace.rates(), Pointwise(DoubleNear(kRounding), without.trace.rates()));
  EXPECT_EQ(frozen.trace.steps.size(), 9);
}

std::vector<std::tuple<std::string, std::string>> rules_and_tuners() {
  std::vector<std::tuple<std::string, std::string>> all = {{"smd", "constant"}};
  for (const std::string& rule : test::tunable_rules()) {
    for (const std::string& tuner : test::tuner_names()) all.emplace_back(rule, tuner);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All,
                         FrozenParts,
                         testing::ValuesIn(rules_and_tuners()),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

TEST(FrozenBias, LeavesTheLayersWeightToKfac) {
  const Trained trained(true, {"fc1.bias", "fc3.bias"}, "kfac", "constant");
  EXPECT_TRUE(are_equal(trained.problem.network->buffers(), trained.before));
  EXPECT_EQ(trained.trace.steps.size(), 9);
}

std::unique_ptr<Problem> narrow_resnet(const std::vector<std::string>& frozen) {
  seed();
  const auto dataset = make_synthetic({3, 8, 8, 10}, {.root = {}, .train_examples = 40});
  const std::shared_ptr<Model> model(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  return make_supervised(
      network_of(model, {.frozen = frozen}), make_cross_entropy(), *dataset, {.batch_size = 8});
}

/// Of the buffers whose names begin so.
TensorList buffers_of(Network& network, const std::string& prefix) {
  TensorList buffers;
  for (size_t i = 0; i < network.buffers().size(); ++i) {
    if (network.buffer_names()[i].starts_with(prefix)) buffers.push_back(network.buffers()[i]);
  }
  return clone(buffers);
}

TEST(FrozenBatchNorm, KeepsItsStatisticsThroughStepsMetaStepsAndAverages) {
  for (const char* tuner_name : {"apo", "apo_exact", "movement"}) {
    const auto problem = narrow_resnet({"conv1", "bn1", "layer1"});
    Network& network = *problem->network;
    const TensorList bn1 = buffers_of(network, "bn1.");
    const TensorList layer1 = buffers_of(network, "layer1.");
    const TensorList layer2 = buffers_of(network, "layer2.");
    const auto rule = UpdateRuleChoice(update_rules(), "sgd").make({.learning_rate = 0.01});
    const auto tuner = test::make_tuner(tuner_name);
    Trainer trainer(*problem, *rule, *tuner, {.steps = 6, .average = {.half_life = 0.2}}, {});
    trainer.advance_to(6);
    bool averaged = false;
    trainer.with_average([&] {
      averaged = true;
      EXPECT_TRUE(are_equal(buffers_of(network, "bn1."), bn1));
    });
    EXPECT_TRUE(averaged);
    EXPECT_TRUE(are_equal(buffers_of(network, "bn1."), bn1)) << tuner_name;
    EXPECT_TRUE(are_equal(buffers_of(network, "layer1."), layer1)) << tuner_name;
    EXPECT_FALSE(are_equal(buffers_of(network, "layer2."), layer2)) << tuner_name;
  }
}

TEST(FrozenBatchNorm, NormalisesAsInEvaluation) {
  const auto problem = narrow_resnet({"conv1", "bn1", "layer*"});
  const Tensor x = at::randn({4, 3, 8, 8});
  const Tensor training = problem->network->forward(x);
  problem->network->train(false);
  EXPECT_TRUE(at::equal(training, problem->network->forward(x)));
  problem->network->train(true);
  EXPECT_TRUE(at::equal(training, problem->network->forward(x)));
}

TEST(FrozenParts, AreCopiedBetweenMembersOfAPopulation) {
  const auto rule = UpdateRuleChoice(update_rules(), "sgd").make({.learning_rate = 0.01});
  const auto tuner = test::make_tuner("constant");
  const auto one = narrow_resnet({"layer1"});
  const auto other = narrow_resnet({"layer1"});
  TensorList& others = other->network->buffers();
  others.back().zero_();  // of a frozen layer
  Trainer trainer(*one, *rule, *tuner, {.steps = 2}, {});
  Trainer source(*other, *rule, *tuner, {.steps = 2}, {});
  trainer.copy_from(source);
  EXPECT_TRUE(are_equal(one->network->buffers(), other->network->buffers()));
}

}  // namespace
}  // namespace apo
