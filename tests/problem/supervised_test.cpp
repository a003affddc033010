#include "apo/problem/supervised.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

#include "apo/model/model.h"
#include "apo/objective/proximal.h"

namespace apo {
namespace {

Dataset random_pictures(int64_t channels, int64_t side) {
  at::Generator generator = make_generator(0, RandomStream::synthetic_data);
  const auto split = [&](int64_t count) {
    return Split{at::randint(256, {count, channels, side, side}, generator, at::kByte),
                 at::randint(10, {count}, generator, at::kLong)};
  };
  Split train = split(40);
  return *dataset_of_pictures(std::move(train), split(30), 10);
}

std::shared_ptr<Model> small_mlp() {
  return make_mlp({.hidden = {8}}, {{1, 6, 6}, 10});
}

TEST(Supervised, EvaluationIsTheMeanOverTheWholePart) {
  const Dataset dataset = random_pictures(1, 6);
  const auto model = small_mlp();
  const auto problem = make_supervised(model, dataset, {.batch_size = 10});
  const Batch all = SplitInOrder(dataset.test, dataset.normalisation, at::kFloat).slice(0, 30);
  const Tensor z = model->forward(all.inputs).detach();
  const Metrics metrics = *evaluate(*problem, Part::test);
  EXPECT_NEAR(metrics.loss, at::cross_entropy_loss(z, all.targets).item<double>(), 1e-6);
  EXPECT_DOUBLE_EQ(*metrics.accuracy, z.argmax(1).eq(all.targets).sum().item<double>() / 30);
}

TEST(Supervised, EvaluationUsesRunningStatisticsAndReturnsToTraining) {
  const std::shared_ptr<Model> shared(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  const auto problem = make_supervised(shared, random_pictures(3, 8), {.batch_size = 10});
  const TensorList before = clone(problem->network->buffers());
  evaluate(*problem, Part::test);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(at::equal(problem->network->buffers()[i], before[i]));
  }
  EXPECT_TRUE(shared->is_training());
}

/// BatchNorm of the pictures themselves, and what draws numbers in training.
struct Normalised : torch::nn::Module {
  Tensor forward(const Tensor& x) {
    return fc(at::dropout(norm(x).flatten(1), 0.5, is_training()));
  }
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(3));
  torch::nn::Linear fc = register_module("fc", torch::nn::Linear(3 * 4 * 4, 10));
};

TEST(Supervised, StatisticsAreEstimatedAsTheMeansOverTheirBatches) {
  const auto dataset =
      make_synthetic({3, 4, 4, 10}, {.root = {}, .train_examples = 210, .test_examples = 5});
  for (const int64_t batch_size : {20, 2}) {  // less than a pass, and more
    const auto module = std::make_shared<Normalised>();
    const auto problem =
        make_supervised(network_of(module, {.precision = Precision::float64}),
                        make_cross_entropy(),
                        *dataset,
                        {.batch_size = batch_size, .precision = Precision::float64});
    module->norm->running_mean.fill_(std::nan(""));
    const auto generator = at::globalContext().defaultGenerator(at::kCPU);
    const Tensor drawn_before = generator.get_state();
    ASSERT_TRUE(estimate_statistics(*problem, [] { return false; }));
    EXPECT_TRUE(at::equal(generator.get_state(), drawn_before));

    const auto batches = problem->statistics_batches();
    const int64_t count = batch_size == 20 ? 11 : 100;
    Tensor mean = at::zeros({3}, at::kDouble);
    Tensor variance = at::zeros({3}, at::kDouble);
    for (int64_t i = 0; i < count; ++i) {
      const Tensor pixels = batches->next().inputs.transpose(0, 1).flatten(1);
      mean += pixels.mean(1) / count;
      variance += pixels.var(1) / count;
    }
    // The program's sums round otherwise.
    EXPECT_LT((module->norm->running_mean - mean).abs().max().item<double>(), 1e-12);
    EXPECT_LT((module->norm->running_var - variance).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(module->is_training() && module->norm->is_training());
    EXPECT_EQ(module->norm->options.momentum(), 0.1);
  }
}

TEST(Supervised, StatisticsAreNotEstimatedToTheEndWhereItIsInterrupted) {
  const std::shared_ptr<Model> shared(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  const auto problem = make_supervised(shared, random_pictures(3, 8), {.batch_size = 10});
  int asked = 0;
  EXPECT_FALSE(estimate_statistics(*problem, [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(shared->is_training());
}

/// Outputs of two batches at once beside those of each alone.
void expect_outputs_of_each(Problem& problem) {
  const at::NoGradGuard no_grad;
  const Batch x = problem.batches->next();
  const Batch x_tilde = problem.discrepancy_batches->next();
  const auto [z, z_tilde] = problem.network->forward_both(x.inputs, x_tilde.inputs);
  EXPECT_LT((z - problem.network->forward(x.inputs)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((z_tilde - problem.network->forward(x_tilde.inputs)).abs().max().item<double>(), 1e-12);
}

TEST(Supervised, OutputsOfBothBatchesAreThoseOfEach) {
  const SupervisedOptions options{
      .batch_size = 10, .discrepancy_batch_size = 4, .precision = Precision::float64};
  expect_outputs_of_each(*make_supervised(small_mlp(), random_pictures(1, 6), options));
  const std::shared_ptr<Model> normalised(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  expect_outputs_of_each(*make_supervised(normalised, random_pictures(3, 8), options));
}

TEST(Supervised, FiltersLieChannelsLastWithTheValuesThatTheyHad) {
  const std::shared_ptr<Model> model(make_cnn({}, {{1, 8, 8}, 10}));
  const TensorList before = clone(model->parameters());
  const auto problem = make_supervised(model, random_pictures(1, 8), {.batch_size = 10});
  for (size_t i = 0; i < before.size(); ++i) {
    const Tensor& theta = problem->network->parameters()[i];
    EXPECT_TRUE(at::equal(theta, before[i]));
    if (theta.dim() != 4) continue;
    EXPECT_TRUE(theta.suggest_memory_format() == at::MemoryFormat::ChannelsLast);
  }
}

TEST(Supervised, FiltersOfWidthsThatNoKernelTakesStayAsTheyAre) {
  const std::shared_ptr<Model> model(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  const auto problem = make_supervised(model, random_pictures(3, 8), {.batch_size = 10});
  for (const Tensor& theta : problem->network->parameters()) EXPECT_TRUE(theta.is_contiguous());
}

TEST(Supervised, AMetaPassLeavesBatchNormStatisticsUntouched) {
  const std::shared_ptr<Model> model(make_resnet18({.width = 2}, {{3, 8, 8}, 10}));
  const auto problem = make_supervised(model, random_pictures(3, 8), {.batch_size = 10});
  const auto rule = make_sgd({}, {.learning_rate = 0.1});
  const Batch x = problem->batches->next();
  const TensorList g = gradient(loss_on(*problem, x), problem->network->parameters());
  const TensorList before = clone(problem->network->buffers());
  const TensorList theta = clone(problem->network->parameters());

  const Batch x_tilde = problem->discrepancy_batches->next();
  const Statistics xi;
  const PendingStep step{*problem, *rule, g, xi, x, x_tilde};
  const auto discrepancy = make_squared_euclidean({});
  const std::vector<int64_t> groups(theta.size(), 0);
  const Hyperparameters phi(rule->hyperparameters(), {"learning_rate"}, groups, 1, at::kCPU);
  ProximalObjective(step, *discrepancy, {.lambda = 1}).gradient(phi);

  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(at::equal(problem->network->buffers()[i], before[i]));
  }
  for (size_t i = 0; i < theta.size(); ++i) {
    EXPECT_TRUE(at::equal(problem->network->parameters()[i], theta[i]));
  }
}

TEST(Supervised, TheDiscrepancyBatchHasItsOwnSizeAndStream) {
  const auto problem = make_supervised(
      small_mlp(), random_pictures(1, 6), {.batch_size = 10, .discrepancy_batch_size = 4});
  EXPECT_EQ(problem->batches->next().inputs.size(0), 10);
  EXPECT_EQ(problem->discrepancy_batches->next().inputs.size(0), 4);

  // Drawing x̃ does not change what x comes next.
  const auto twin = make_supervised(small_mlp(), random_pictures(1, 6), {.batch_size = 10});
  twin->batches->next();
  EXPECT_TRUE(at::equal(problem->batches->next().inputs, twin->batches->next().inputs));
}

TEST(Supervised, PrecisionChoosesTheTypes) {
  for (const auto& [precision, type] : {std::pair{Precision::float32, at::kFloat},
                                        std::pair{Precision::float64, at::kDouble},
                                        std::pair{Precision::bfloat16, at::kFloat}}) {
    const auto problem = make_supervised(
        small_mlp(), random_pictures(1, 6), {.batch_size = 10, .precision = precision});
    const Batch x = problem->batches->next();
    const Tensor z = problem->network->forward(x.inputs);
    EXPECT_EQ(problem->network->parameters()[0].scalar_type(), type);
    EXPECT_EQ(problem->loss->value(z, x).scalar_type(), type);
  }
}

TEST(Supervised, CurvatureUnderBfloat16IsThatOfFloat32UpToRounding) {
  const auto model = small_mlp();
  // Far from zero, where rounding would turn the sign of a unit, which is a jump.
  Tensor bias = model->named_parameters()["fc1.bias"];
  bias.data().slice(0, 0, 4).fill_(5);
  bias.data().slice(0, 4, 8).fill_(-5);
  std::vector<LayerMoments> moments[2];
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const auto problem =
        make_supervised(model, random_pictures(1, 6), {.batch_size = 10, .precision = precision});
    const Batch x = problem->batches->next();
    moments[precision == Precision::bfloat16] =
        curvature(*problem, x, {.fisher = Fisher::empirical}, 0);
  }
  for (size_t i = 0; i < moments[0].size(); ++i) {
    for (Tensor LayerMoments::*factor : {&LayerMoments::inputs, &LayerMoments::output_gradients}) {
      const Tensor& exact = moments[0][i].*factor;
      const Tensor& rounded = moments[1][i].*factor;
      ASSERT_EQ(rounded.scalar_type(), at::kFloat);
      EXPECT_LT((exact - rounded).norm().item<double>(), 0.02 * exact.norm().item<double>());
    }
  }
}

TEST(LayersOf, GroupsParametersByTheirModule) {
  std::vector<std::string> layers;
  const auto layer_of =
      layers_of({"conv1.weight", "fc.1.weight", "fc.1.bias", "conv1.bias"}, layers);
  EXPECT_EQ(layers, (std::vector<std::string>{"conv1", "fc.1"}));
  EXPECT_EQ(layer_of, (std::vector<int64_t>{0, 1, 1, 0}));
}

}  // namespace
}  // namespace apo
