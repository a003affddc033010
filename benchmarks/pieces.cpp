// Times the pieces of a step, each alone: update rules, the meta gradient, batches, traces,
// checkpoints. Every update rule is here by being in its registry.
#include <ATen/core/grad_mode.h>
#include <benchmark/benchmark.h>

#include <filesystem>
#include <memory>
#include <string>

#include "apo/base/system.h"
#include "apo/checkpoint/checkpoint.h"
#include "apo/model/model.h"
#include "apo/objective/proximal.h"
#include "apo/problem/supervised.h"
#include "apo/trace/jsonl.h"
#include "apo/update/observe.h"

namespace apo {
namespace {

constexpr int64_t kBatch = 100;

/// Classification of made-up pictures of MNIST's or CIFAR's shape.
std::unique_ptr<Problem> make_problem(const std::string& model, Augmentation augmentation) {
  const int64_t channels = model.rfind("resnet", 0) == 0 ? 3 : 1;
  const int64_t pixels = channels == 3 ? 32 : 28;
  const auto dataset =
      make_synthetic({channels, pixels, pixels, 10}, {.root = {}, .train_examples = 10 * kBatch});
  const ModelShape shape{{channels, pixels, pixels}, 10};
  ChoiceOf<Model, const ModelShape&> choice(models(), model);
  return make_supervised(
      choice.make(shape), *dataset, {.batch_size = kBatch, .augmentation = augmentation});
}

/// All of a step up to the update, on an MLP.
struct Pending {
  explicit Pending(const std::string& name, const std::string& model = "mlp")
      : problem(make_problem(model, Augmentation::none)),
        rule(UpdateRuleChoice(update_rules(), name).make(RuleSetting{})),
        xi(rule->initial_statistics(problem->network->parameters())),
        x(problem->batches->next()),
        x_tilde(problem->discrepancy_batches->next()),
        g(observe(*rule, *problem, x, loss_on(*problem, x), xi)),
        phi(rule->hyperparameters(),
            {"learning_rate"},
            std::vector<int64_t>(g.size(), 0),
            1,
            at::Device(at::kCPU)) {}

  int64_t bytes_of_parameters() const {
    int64_t bytes = 0;
    for (const Tensor& tensor : g) bytes += static_cast<int64_t>(tensor.nbytes());
    return bytes;
  }

  std::unique_ptr<Problem> problem;
  std::unique_ptr<UpdateRule> rule;
  Statistics xi;
  Batch x;
  Batch x_tilde;
  TensorList g;
  Hyperparameters phi;
};

/// ξ ← statistics, θ ← θ′. The rate counts the bytes of θ once.
void update(benchmark::State& state, const std::string& name) {
  Pending pending(name);
  const at::NoGradGuard no_grad;
  TensorList theta = detached(pending.problem->network->parameters());
  for (auto _ : state) {
    pending.rule->observe(pending.g, pending.xi);
    pending.rule->step(theta, pending.g, pending.xi, pending.phi.values());
  }
  state.SetBytesProcessed(state.iterations() * pending.bytes_of_parameters());
}

/// θ′ and vᵀ ∂θ′/∂η.
void proposal(benchmark::State& state, const std::string& name) {
  Pending pending(name);
  const TensorList theta = detached(pending.problem->network->parameters());
  for (auto _ : state) {
    const Proposal next =
        pending.rule->differentiable({theta, pending.g, pending.xi, Momentum::ignore}, pending.phi);
    benchmark::DoNotOptimize(next.pull_back(pending.g));
  }
  state.SetBytesProcessed(state.iterations() * pending.bytes_of_parameters());
}

void base_gradient(benchmark::State& state, const std::string& model) {
  Pending pending("sgd", model);
  Problem& problem = *pending.problem;
  for (auto _ : state) {
    const Tensor loss = loss_on(problem, pending.x);
    benchmark::DoNotOptimize(observe(*pending.rule, problem, pending.x, loss, pending.xi));
  }
}

void meta_gradient(benchmark::State& state, const std::string& model) {
  Pending pending("sgd", model);
  const PendingStep step{
      *pending.problem, *pending.rule, pending.g, pending.xi, pending.x, pending.x_tilde};
  const auto discrepancy = make_squared_euclidean({});
  for (auto _ : state) {
    ProximalObjective objective(step, *discrepancy, {.lambda = 1e-3});
    benchmark::DoNotOptimize(objective.gradient(pending.phi));
  }
}

void batch(benchmark::State& state, const std::string& model, Augmentation augmentation) {
  const auto problem = make_problem(model, augmentation);
  for (auto _ : state) benchmark::DoNotOptimize(problem->batches->next());
  state.SetItemsProcessed(state.iterations() * kBatch);
}

/// A folder of its own, gone with its scope.
struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("apo-pieces-" + std::to_string(getpid()));
};

void trace_lines(benchmark::State& state) {
  const Folder folder;
  JsonLines lines(folder.path / "trace.jsonl", "{}");
  int64_t step = 0;
  for (auto _ : state) lines.on_step({step++, 0.123456789, 1e-4});
  state.SetItemsProcessed(state.iterations());
}

void checkpoint(benchmark::State& state) {
  const Folder folder;
  const Pending pending("rmsprop");
  Checkpoint checkpoint{.step = 1, .config = {}, .state = state_of([&](StateVisitor& visitor) {
                                                   visit_state(*pending.problem, visitor);
                                                 })};
  for (auto _ : state) write_checkpoint(folder.path, checkpoint);
  state.SetBytesProcessed(state.iterations() * bytes_of(checkpoint.state));
}

void register_all() {
  for (const auto& rule : update_rules()) {
    // Its curvature is a part of its step, which only a whole run shows.
    if (rule.recipe()->make(RuleSetting{})->traits().needs_curvature) continue;
    benchmark::RegisterBenchmark(("update/" + rule.name).c_str(), update, rule.name);
    benchmark::RegisterBenchmark(("proposal/" + rule.name).c_str(), proposal, rule.name);
  }
  for (const std::string model : {"mlp", "cnn"}) {
    benchmark::RegisterBenchmark(("base_gradient/" + model).c_str(), base_gradient, model);
    benchmark::RegisterBenchmark(("meta_gradient/" + model).c_str(), meta_gradient, model);
  }
  benchmark::RegisterBenchmark("batch/mnist", batch, "mlp", Augmentation::none);
  benchmark::RegisterBenchmark("batch/cifar", batch, "resnet18", Augmentation::none);
  benchmark::RegisterBenchmark("batch/cifar_crop_flip", batch, "resnet18", Augmentation::crop_flip);
  benchmark::RegisterBenchmark("trace_line", trace_lines);
  benchmark::RegisterBenchmark("checkpoint", checkpoint);
}

}  // namespace
}  // namespace apo

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  apo::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
