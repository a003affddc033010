// What a device computes, beside the same on the CPU. Skipped where there is none.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "apo/cuda/recorder.h"
#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "apo/run/experiment.h"
#include "apo/run/process.h"
#include "support/every_tuner.h"
#include "support/recorder.h"

namespace apo {
namespace {

/// Enough for recordings, and two passes over the pictures, of whose batches the last is smaller.
constexpr int64_t kSteps = 22;

struct Training {
  std::string model = "small";
  std::string rule = "sgd";
  std::string tuner = "apo_robust";
  Precision precision = Precision::float64;
  std::shared_ptr<Recorder> recorder = {};
};

void PrintTo(const Training& training, std::ostream* out) {
  *out << training.model << ", " << training.rule << ", " << training.tuner;
}

/// Classification of made-up pictures, from the same weights on any device.
std::unique_ptr<Problem> make_problem(const Training& training, at::Device device) {
  const bool small = training.model == "small";
  const int64_t side = small ? 8 : 16;
  const ModelShape shape{{3, side, side}, 10};
  const auto dataset = make_synthetic({3, side, side, 10}, {.root = {}, .train_examples = 84});
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  return make_supervised(
      small ? make_mlp({.hidden = {16, 16}}, shape)
            : ChoiceOf<Model, const ModelShape&>(models(), training.model).make(shape),
      *dataset,
      {.batch_size = 8, .precision = training.precision, .device = device});
}

/// Of weights that are that much larger than they were drawn.
std::vector<double> losses(const Training& training, at::Device device, double larger = 0) {
  const auto problem = make_problem(training, device);
  for (const Tensor& theta : problem->network->parameters()) theta.detach().mul_(1 + larger);
  const auto tuner = test::make_tuner(training.tuner);
  const auto rule = UpdateRuleChoice(update_rules(), training.rule).make({.learning_rate = 1e-3});
  return test::record(*problem, *rule, *tuner, {.steps = kSteps, .recorder = training.recorder})
      .losses();
}

const at::Device kCpu(at::kCPU);
const at::Device kGpu(at::kCUDA, 0);

/// With algorithms that compute the same at every call: by default equal runs differ by rounding,
/// and twenty steps of a ResNet make a hundred thousand times as much of it.
std::vector<double> losses_on_gpu(const Training& training) {
  Experiment experiment;
  experiment.threads = at::get_num_threads();
  experiment.device = "cuda";
  experiment.precision = training.precision;
  experiment.deterministic = true;
  set_up_process(experiment);
  return losses(training, kGpu);
}

/// Up to sums in another order, after some twenty steps.
void expect_the_same_losses(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t t = 0; t < a.size(); ++t) {
    EXPECT_NEAR(a[t], b[t], 1e-6 * std::max(1.0, b[t])) << "step " << t;
  }
}

/// To the bit. No part may be refused.
void expect_graphs_change_nothing(Training training) {
  const std::vector<double> issued = losses_on_gpu(training);
  training.recorder =
      make_cuda_recorder(kGpu, [](const std::string& why) { ADD_FAILURE() << why; });
  ASSERT_NE(training.recorder, nullptr) << "a build without CUDA";
  EXPECT_EQ(losses_on_gpu(training), issued) << testing::PrintToString(training);
}

std::vector<Training> all_rules() {
  std::vector<Training> all;
  for (const std::string& rule : test::names(update_rules())) all.push_back({.rule = rule});
  return all;
}

std::vector<Training> all_tuners() {
  std::vector<Training> all;
  for (const std::string& tuner : test::tuner_names()) {
    all.push_back({.rule = "sgdm", .tuner = tuner});
  }
  return all;
}

std::vector<Training> all_models() {
  std::vector<Training> all;
  for (const std::string& name : test::names_with_defaults(models()))
    all.push_back({.model = name});
  return all;
}

std::string name_of(const testing::TestParamInfo<Training>& info) {
  const Training& training = info.param;
  return training.model + "_" + training.rule + "_" + training.tuner;
}

/// What is trained on both.
class OnBoth : public testing::TestWithParam<Training> {};

// A run that is ruined does not, and says nothing about the device that it is trained on.
TEST_P(OnBoth, KeepsRoundingSmall) {
  constexpr double kRounding = 1e-14;
  expect_the_same_losses(losses(GetParam(), kCpu, kRounding), losses(GetParam(), kCpu));
}

/// Skipped where there is no device.
class Gpu : public OnBoth {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
};

TEST_P(Gpu, TrainsAsTheCpu) {
  expect_the_same_losses(losses_on_gpu(GetParam()), losses(GetParam(), kCpu));
}

class GpuRules : public Gpu {};

TEST_P(GpuRules, TrainWithCudaGraphsAsWithout) {
  for (const char* tuner : {"apo", "apo_per_layer", "movement"}) {
    Training training = GetParam();
    training.tuner = tuner;
    expect_graphs_change_nothing(training);
  }
}

class GpuTuners : public Gpu {};

TEST_P(GpuTuners, TrainWithCudaGraphsAsWithout) {
  expect_graphs_change_nothing(GetParam());
}

class GpuModels : public Gpu {};

TEST_P(GpuModels, TrainWithCudaGraphsAsWithout) {
  for (const Precision precision :
       {Precision::float64, Precision::float32, Precision::tf32, Precision::bfloat16}) {
    Training training = GetParam();
    training.precision = precision;
    expect_graphs_change_nothing(training);
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, OnBoth, testing::ValuesIn(all_rules()), name_of);
INSTANTIATE_TEST_SUITE_P(Tuners, OnBoth, testing::ValuesIn(all_tuners()), name_of);
INSTANTIATE_TEST_SUITE_P(Rules, Gpu, testing::ValuesIn(all_rules()), name_of);
INSTANTIATE_TEST_SUITE_P(Tuners, Gpu, testing::ValuesIn(all_tuners()), name_of);
INSTANTIATE_TEST_SUITE_P(Models, Gpu, testing::ValuesIn(all_models()), name_of);
INSTANTIATE_TEST_SUITE_P(All, GpuRules, testing::ValuesIn(all_rules()), name_of);
INSTANTIATE_TEST_SUITE_P(All, GpuTuners, testing::ValuesIn(all_tuners()), name_of);
INSTANTIATE_TEST_SUITE_P(All, GpuModels, testing::ValuesIn(all_models()), name_of);

}  // namespace
}  // namespace apo
