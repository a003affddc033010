#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "apo/run/fit.h"
#include "support/every_tuner.h"
#include "support/scripts.h"

namespace apo {
namespace {

using testing::HasSubstr;

std::unique_ptr<Dataset> pictures() {
  return make_synthetic({1, 4, 4, 3}, {.root = {}, .train_examples = 48, .test_examples = 20});
}

constexpr int64_t kPixels = 16;
constexpr int64_t kHidden = 6;

/// What classifier_script() is, in LibTorch's modules.
struct Twin : torch::nn::Module {
  Tensor forward(const Tensor& x) { return fc2(norm(fc1(x.flatten(1))).relu()); }
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(kPixels, kHidden));
  torch::nn::BatchNorm1d norm = register_module("norm", torch::nn::BatchNorm1d(kHidden));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(kHidden, 3));
};

/// A script and its twin with the same parameters, each in a problem of its own.
struct Pair {
  explicit Pair(const std::vector<std::string>& frozen = {}) {
    const std::shared_ptr<Model> read = test::saved_and_read(classifier_script());
    const auto built = std::make_shared<Twin>();
    {
      const at::NoGradGuard no_grad;
      const auto from = read->named_parameters();
      for (auto& item : built->named_parameters()) item.value().copy_(from[item.key()]);
    }
    const NetworkOptions options{.precision = Precision::float64, .frozen = frozen};
    script = problem_of(network_of(read, options));
    twin = problem_of(network_of(built, options));
  }
  static torch::jit::Module classifier_script() {
    return test::classifier_script(kPixels, kHidden, 3);
  }
  static std::unique_ptr<Problem> problem_of(std::unique_ptr<Network> network) {
    return make_supervised(std::move(network),
                           make_cross_entropy(),
                           *pictures(),
                           {.batch_size = 8, .precision = Precision::float64});
  }
  std::unique_ptr<Problem> script, twin;
};

TEST(Torchscript, NamesWhatItHasAsPyTorchDoes) {
  const Pair pair;
  EXPECT_EQ(pair.script->network->parameter_names(), pair.twin->network->parameter_names());
  EXPECT_EQ(pair.script->network->buffer_names(), pair.twin->network->buffer_names());
}

TEST(Torchscript, ExchangedStorageIsWhatItReads) {
  const Pair pair;
  Network& network = *pair.script->network;
  const at::NoGradGuard no_grad;
  network.train(false);
  const Tensor x = pair.script->batches->next().inputs;
  const Tensor z = network.forward(x);
  {
    const SwapGuard zeros(network.parameters(), zeros_like(network.parameters()));
    EXPECT_TRUE(at::equal(network.forward(x), at::zeros_like(z)));
  }
  EXPECT_TRUE(at::equal(network.forward(x), z));
}

/// With every optimizer that needs no layers, and every tuner.
class TorchscriptTrains : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(TorchscriptTrains, AsItsTwinOfModules) {
  const auto& [rule_name, tuner_name] = GetParam();
  Pair pair;
  const auto rule = UpdateRuleChoice(update_rules(), rule_name).make({.learning_rate = 0.01});
  std::vector<std::vector<double>> losses;
  for (Problem* problem : {pair.script.get(), pair.twin.get()}) {
    const auto tuner = test::make_tuner(tuner_name);
    losses.push_back(test::record(*problem, *rule, *tuner, {.steps = 10}).losses());
  }
  // The same kernels in the same order, but for sums that a fused operation makes otherwise.
  for (size_t t = 0; t < losses[0].size(); ++t) EXPECT_NEAR(losses[0][t], losses[1][t], 1e-9);
  for (size_t i = 0; i < pair.script->network->buffers().size(); ++i) {
    const Tensor difference = pair.script->network->buffers()[i] - pair.twin->network->buffers()[i];
    EXPECT_LT(difference.abs().max().item<double>(), 1e-9);
  }
  EXPECT_NEAR(
      evaluate(*pair.script, Part::test)->loss, evaluate(*pair.twin, Part::test)->loss, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(All,
                         TorchscriptTrains,
                         testing::Combine(testing::ValuesIn(test::rules_of_points()),
                                          testing::ValuesIn(test::tuner_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

TEST(Torchscript, FrozenPartsStayAsTheyAreAndTheRestTrainsAsItsTwin) {
  Pair pair({"norm"});
  std::vector<std::vector<double>> losses;
  for (Problem* problem : {pair.script.get(), pair.twin.get()}) {
    const TensorList before = clone(problem->network->buffers());
    const auto rule = make_sgd({}, {.learning_rate = 0.1});
    losses.push_back(test::record(*problem, *rule, *make_constant({}), {.steps = 5}).losses());
    ASSERT_TRUE(estimate_statistics(*problem, [] { return false; }));
    losses.push_back(test::record(*problem, *rule, *make_constant({}), {.steps = 5}).losses());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_TRUE(at::equal(problem->network->buffers()[i], before[i]))
          << problem->network->buffer_names()[i];
    }
  }
  EXPECT_EQ(pair.script->network->parameter_names(), pair.twin->network->parameter_names());
  for (size_t t = 0; t < losses[0].size(); ++t) {
    EXPECT_NEAR(losses[0][t], losses[2][t], 1e-9);
    EXPECT_NEAR(losses[1][t], losses[3][t], 1e-9);
  }
  EXPECT_LT(losses[1].back(), losses[0].front());
}

TEST(Torchscript, TrainsByStochasticMetaDescentAsItsTwin) {
  Pair pair;
  std::vector<std::vector<double>> losses;
  for (Problem* problem : {pair.script.get(), pair.twin.get()}) {
    const auto rule = make_smd({}, {.learning_rate = 0.01});  // by second derivatives
    losses.push_back(test::record(*problem, *rule, *make_constant({}), {.steps = 10}).losses());
  }
  for (size_t t = 0; t < losses[0].size(); ++t) EXPECT_NEAR(losses[0][t], losses[1][t], 1e-9);
}

TEST(Torchscript, BatchStatisticsAreEstimatedAsTheMeansOverTheirBatches) {
  const Pair pair;
  for (Problem* problem : {pair.script.get(), pair.twin.get()}) {
    ASSERT_TRUE(estimate_statistics(*problem, [] { return false; }));
  }
  for (size_t i = 0; i < pair.script->network->buffers().size(); ++i) {
    const Tensor& gathered = pair.script->network->buffers()[i];
    EXPECT_LT((gathered - pair.twin->network->buffers()[i]).abs().max().item<double>(), 1e-12)
        << pair.script->network->buffer_names()[i];
  }
}

TEST(Torchscript, KFacSaysThatItSeesNoLayers) {
  const Pair pair;
  try {
    curvature(*pair.script, pair.script->batches->next(), {}, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("no linear or convolutional layers"));
  }
}

TEST(Torchscript, IntegersStayIntegersWhateverThePrecision) {
  for (const Precision precision : {Precision::float32, Precision::float64, Precision::bfloat16}) {
    const auto network =
        network_of(test::saved_and_read(test::tokens_script(7, 3)), {.precision = precision});
    EXPECT_EQ(network->buffers()[0].scalar_type(), at::kLong);
    const Tensor x = at::arange(6).view({2, 3});
    const Tensor z = network->forward(x);
    EXPECT_EQ(z.scalar_type(), dtype_of(precision));
    const Tensor& table = network->parameters()[0];
    EXPECT_TRUE(at::equal(z, table.narrow(0, 0, 6).view({2, 3, 3})));
  }
}

Dataset dataset_of(const Split& split, int64_t classes) {
  Dataset dataset;
  dataset.train = split;
  dataset.test = split;
  dataset.classes = classes;
  return dataset;
}

/// After some steps, as a share of what it was.
double remaining_loss(Problem& problem) {
  const double before = evaluate(problem, Part::train)->loss;
  const auto rule = make_adam({}, {.learning_rate = 0.1});
  test::record(problem, *rule, *make_constant({}), {.steps = 60});
  return evaluate(problem, Part::train)->loss / before;
}

TEST(Torchscript, LearnsAClassOfEachPositionFromTokensThatStayIntegers) {
  at::Generator generator = make_generator(0, RandomStream::synthetic_data);
  const Tensor tokens = at::randint(7, {20, 5}, generator, at::kLong);
  const auto problem = make_supervised(test::saved_and_read(test::tokens_script(7, 3)),
                                       dataset_of({tokens, tokens.remainder(3)}, 3),
                                       {.batch_size = 4});
  EXPECT_EQ(problem->batches->next().inputs.scalar_type(), at::kLong);
  EXPECT_NO_THROW(require_fit(*problem, "torchscript", 3, 3));
  EXPECT_LT(remaining_loss(*problem), 0.1);
}

TEST(Torchscript, LearnsRealNumbers) {
  const Tensor x = test::random_values({40, 4});
  const auto problem = make_supervised(network_of(test::saved_and_read(test::linear_script(4, 1))),
                                       make_squared_error(),
                                       dataset_of({x, 3 * x.sum(1, true)}, 0),
                                       {.batch_size = 8});
  EXPECT_NO_THROW(require_fit(*problem, "torchscript", 1, 0));
  EXPECT_LT(remaining_loss(*problem), 0.1);
}

TEST(Torchscript, WhatDoesNotFitTheDataIsSaidInALine) {
  const Tensor tokens = at::randint(7, {6, 5}, at::kLong);
  const auto error = [&](const torch::jit::Module& module, const Split& split, int64_t outputs) {
    const auto problem = make_supervised(
        test::saved_and_read(module), dataset_of(split, outputs), {.batch_size = 2});
    try {
      require_fit(*problem, "torchscript", outputs, outputs);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return std::string(error.what());
    }
    return std::string();
  };
  const torch::jit::Module module = test::tokens_script(7, 3);
  EXPECT_THAT(
      error(module, {tokens, tokens.remainder(3)}, 4),
      HasSubstr("its outputs for an example are [5, 3]; the targets of the data set want [5, 4]"));
  EXPECT_THAT(error(module, {tokens, tokens.select(1, 0).remainder(3)}, 3),
              HasSubstr("the targets of the data set want [3]"));
  const std::string of_type = error(module, {tokens.to(at::kFloat), tokens}, 3);
  EXPECT_THAT(of_type, HasSubstr("an example float32 [5] ("));
  EXPECT_THAT(of_type, HasSubstr("indices"));
  EXPECT_EQ(of_type.find('\n'), std::string::npos);
}

/// What is said of a forward of these lines, of inputs [B, 3] and real targets of the same shape.
std::string objection_to(const std::string& forward) {
  const Tensor x = test::random_values({6, 3});
  const auto problem = make_supervised(
      network_of(test::saved_and_read(test::script_of("def forward(self, x):\n" + forward))),
      make_squared_error(),
      dataset_of({x, 2 * x}, 0),
      {.batch_size = 2});
  try {
    require_fit(*problem, "model.path = m.pt", 3, 0);
    require_trainable(*problem, "model.path = m.pt");
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(message, testing::StartsWith("model.path = m.pt: "));
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_TRUE(at::equal(problem->train->slice(0, 6).inputs, x));
    return message;
  }
  return "";
}

TEST(Torchscript, AForwardThatCannotBeTrainedIsSaidBeforeTraining) {
  EXPECT_EQ(objection_to("    return x * self.weight\n"), "");
  EXPECT_THAT(objection_to("    return (x * self.weight)[:1]\n"),
              HasSubstr("its outputs for 2 examples are [1, 3]; the targets of the data set want "
                        "[2, 3]"));
  EXPECT_THAT(objection_to("    return x.mean([0], True) * self.weight\n"), HasSubstr("[1, 3]"));
  EXPECT_THAT(objection_to("    return x.view(1, 3) * self.weight\n"),
              HasSubstr("takes one example and not 2"));
  EXPECT_THAT(objection_to("    return (x * self.weight).detach()\n"),
              HasSubstr("does not require grad"));
  EXPECT_THAT(objection_to("    y = x * self.weight\n    x.zero_()\n    return y\n"),
              HasSubstr("inplace"));
  EXPECT_THAT(objection_to("    x.mul_(2)\n    return x + self.weight\n"),
              HasSubstr("changes its input in place"));
}

TEST(Torchscript, ParametersThatAreNoNumbersAreRefusedAndMasksAreNot) {
  const auto module = [](const char* kind, double value) {
    torch::jit::Module made = test::script_of("def forward(self, x):\n    return x\n");
    made.attr(kind).toTensor().detach().fill_(value);
    return made;
  };
  EXPECT_THAT(test::data_error_of([&] { test::saved_and_read(module("weight", NAN)); }),
              HasSubstr("the parameter weight holds NaN or infinity"));
  EXPECT_THAT(test::data_error_of([&] { test::saved_and_read(module("counter", NAN)); }),
              HasSubstr("the buffer counter"));
  EXPECT_NO_THROW(test::saved_and_read(module("counter", -INFINITY)));
}

/// [B, T, 2] → [B, T, 3], in float32, which oneDNN computes by one kernel.
torch::jit::Module lstm_script() {
  torch::jit::Module lstm = test::script_named("LSTM");
  test::add_parameter(lstm, "w_input", test::random_values({12, 2}, 1));
  test::add_parameter(lstm, "w_hidden", test::random_values({12, 3}, 2));
  lstm.define(R"(
def forward(self, x):
    h = torch.zeros([1, x.size(0), 3], dtype=x.dtype, device=x.device)
    z, _, _ = torch.lstm(x, [h, h], [self.w_input, self.w_hidden], False, 1, 0., False, False, True)
    return z
)");
  return lstm;
}

ApoOptions solved_exactly() {
  ApoOptions options;
  options.solver = ApoOptions::Solver::exact;
  return options;
}

class TorchscriptRecurrent : public testing::TestWithParam<std::string> {};

TEST_P(TorchscriptRecurrent, TrainsInFloat32AsInFloat64WhereDerivativesAreOfSecondOrder) {
  std::vector<double> losses[2];
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    const Tensor x = test::random_values({20, 4, 2}, 3);
    const auto network = test::saved_and_read(lstm_script());
    const auto problem = make_supervised(network_of(network, {.precision = precision}),
                                         make_squared_error(),
                                         dataset_of({x, at::cat({x, x.sum(2, true)}, 2)}, 0),
                                         {.batch_size = 5, .precision = precision});
    const bool smd = GetParam() == "smd";
    const auto rule =
        smd ? make_smd({}, {.learning_rate = 0.1}) : make_sgd({}, {.learning_rate = 0.1});
    const auto tuner = smd ? make_constant({}) : make_apo(solved_exactly());
    losses[precision == Precision::float64] =
        test::record(*problem, *rule, *tuner, {.steps = 8}).losses();
  }
  for (size_t t = 0; t < losses[0].size(); ++t) EXPECT_NEAR(losses[0][t], losses[1][t], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(SecondOrder, TorchscriptRecurrent, testing::Values("exact", "smd"));

TEST(Torchscript, Bfloat16IsFloat32UpToRounding) {
  Tensor z[2];
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const auto network =
        network_of(test::saved_and_read(Pair::classifier_script()), {.precision = precision});
    z[precision == Precision::bfloat16] = network->forward(test::random_values({8, 1, 4, 4}, 3));
  }
  const double scale = z[0].abs().max().item<double>();
  const double error = (z[0] - z[1]).abs().max().item<double>();
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.05 * scale);  // 2^−8, a few times
}

TEST(Torchscript, TiedParametersAreOneAndStayTied) {
  torch::jit::Module module = test::script_named("Tied");
  const Tensor weight = test::random_values({4, 4}).requires_grad_();
  module.register_parameter("encoder", weight, false);
  module.register_parameter("decoder", weight, false);
  module.register_attribute("flat", c10::ListType::ofTensors(), c10::List<Tensor>({weight}));
  module.define(
      "def forward(self, x):\n"
      "    return torch.matmul(torch.matmul(x, self.encoder), self.decoder) + "
      "torch.matmul(x, self.flat[0])\n");
  const auto network = network_of(test::saved_and_read(module), {.precision = Precision::float64});
  EXPECT_EQ(network->parameter_names(), std::vector<std::string>{"encoder"});
  const Tensor x = test::random_values({2, 4}, 5).to(at::kDouble);
  const SwapGuard ones(network->parameters(), {at::ones({4, 4}, at::kDouble)});
  const Tensor expected = 5 * x.sum(1, true).expand({2, 4});  // x 1 1 + x 1
  EXPECT_LT((network->forward(x) - expected).abs().max().item<double>(), 1e-12);
}

TEST(Torchscript, ParametersWithoutGradientStayAsTheyAre) {
  torch::jit::Module module = test::linear_script(16, 3);
  Tensor bias = module.attr("bias").toTensor();
  bias.requires_grad_(false);
  const auto network = network_of(test::saved_and_read(module));
  EXPECT_EQ(network->parameter_names(), std::vector<std::string>{"weight"});
  EXPECT_EQ(network->buffer_names(), std::vector<std::string>{"bias"});
}

TEST(Torchscript, AParameterThatForwardDoesNotUseHasNoGradientAndDoesNotMove) {
  const auto model = test::saved_and_read(
      test::script_of("def forward(self, x):\n    return x.flatten(1)[:, :3] * self.weight\n"));
  Tensor& unused = model->register_parameter("unused", at::ones({2}));
  const auto problem = make_supervised(model, *pictures(), {.batch_size = 8});
  test::record(*problem, *make_adam({}, {.learning_rate = 0.1}), *make_constant({}), {.steps = 3});
  EXPECT_TRUE(at::equal(unused, at::ones({2})));
}

}  // namespace
}  // namespace apo
