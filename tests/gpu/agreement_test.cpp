// What a device computes, beside the same on the CPU. Skipped where there is none.
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "apo/cuda/recorder.h"
#include "apo/model/model.h"
#include "apo/problem/supervised.h"
#include "support/recorder.h"
#include "support/registry_names.h"

namespace apo {
namespace {

/// Enough for recordings, and two passes over the pictures, of whose batches the last is smaller.
constexpr int64_t kSteps = 22;

class Gpu : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
};

using Scope = ApoOptions::Scope;

struct Training {
  std::string model = "mlp";
  std::string rule = "sgd";
  Scope scope = Scope::global;
  Precision precision = Precision::float64;
  std::shared_ptr<Recorder> recorder = {};
};

/// Classification of made-up pictures, from the same weights on any device.
std::unique_ptr<Problem> make_problem(const Training& training, at::Device device) {
  const auto dataset = make_synthetic({3, 16, 16, 10}, {.root = {}, .train_examples = 84});
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  const ChoiceOf<Model, const ModelShape&> choice(models(), training.model);
  return make_supervised(choice.make({3, 16, 16, 10}),
                         *dataset,
                         {.batch_size = 8, .precision = training.precision, .device = device});
}

std::vector<double> losses(const Training& training, at::Device device) {
  const auto problem = make_problem(training, device);
  ApoOptions options;
  options.interval = 2;
  options.scope = training.scope;
  const auto tuner = make_apo(options);
  const auto rule = UpdateRuleChoice(update_rules(), training.rule).make({.learning_rate = 1e-3});
  return test::record(*problem, *rule, *tuner, {.steps = kSteps, .recorder = training.recorder})
      .losses();
}

const at::Device kGpu(at::kCUDA, 0);

/// Sums in another order, after some twenty steps.
double rounding(Precision precision) {
  if (precision == Precision::float64) return 1e-6;
  return precision == Precision::bfloat16 ? 1e-1 : 1e-2;
}

void expect_the_same_losses(const std::vector<double>& a,
                            const std::vector<double>& b,
                            Precision precision = Precision::float64) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t t = 0; t < a.size(); ++t) {
    EXPECT_NEAR(a[t], b[t], rounding(precision)) << "step " << t;
  }
}

/// Trains with and without CUDA graphs, none of which may be refused.
void expect_graphs_change_nothing(Training training) {
  const std::vector<double> issued = losses(training, kGpu);
  training.recorder =
      make_cuda_recorder(kGpu, [](const std::string& why) { ADD_FAILURE() << why; });
  ASSERT_NE(training.recorder, nullptr) << "a build without CUDA";
  expect_the_same_losses(losses(training, kGpu), issued, training.precision);
}

class GpuRule : public Gpu {};

TEST_P(GpuRule, TrainsWithApoAsOnTheCpu) {
  const Training training{.rule = GetParam()};
  expect_the_same_losses(losses(training, kGpu), losses(training, at::kCPU));
}

TEST_P(GpuRule, TrainsWithCudaGraphsAsWithout) {
  for (const Scope scope : {Scope::global, Scope::per_layer}) {
    expect_graphs_change_nothing({.rule = GetParam(), .scope = scope});
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         GpuRule,
                         testing::ValuesIn(test::names(update_rules())),
                         test::test_name);

class GpuModel : public Gpu {};

TEST_P(GpuModel, TrainsWithApoAsOnTheCpu) {
  const Training training{.model = GetParam()};
  expect_the_same_losses(losses(training, kGpu), losses(training, at::kCPU));
}

TEST_P(GpuModel, TrainsWithCudaGraphsAsWithout) {
  for (const Precision precision :
       {Precision::float64, Precision::float32, Precision::tf32, Precision::bfloat16}) {
    expect_graphs_change_nothing({.model = GetParam(), .precision = precision});
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuModel, testing::ValuesIn(test::names(models())), test::test_name);

}  // namespace
}  // namespace apo
