#include "apo/run/assemble.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/guards.h"
#include "apo/base/random.h"
#include "apo/base/system.h"
#include "apo/config/writer.h"
#include "apo/problem/supervised.h"
#include "apo/run/fit.h"
#include "apo/run/initial_network.h"

namespace apo {
namespace {

/// Throws Error(config) where it compares outputs with other targets than there are.
std::unique_ptr<Loss> make_loss(const ChoiceOf<Loss>& choice, const Dataset& dataset) {
  std::unique_ptr<Loss> loss = choice.make();
  const bool classes = dataset.classes > 0;
  if (loss->has_classes() == classes) return loss;
  throw Error(ErrorKind::config,
              fmt::format("loss.name = {}: the targets of the data set are {}; accepted: {}",
                          choice.name(),
                          classes ? "classes" : "real numbers",
                          classes ? "cross_entropy" : "squared_error"));
}

/// Where x̃ is a share of x it has so many more examples that BatchNorm never has but one. How many
/// ranks there are is no part of it: they train as one does.
BatchSizes batch_sizes(const Experiment& experiment,
                       const TunerTraits& tuner,
                       int64_t examples,
                       const Group& group) {
  const int64_t own = experiment.dataset.batch_size;
  int64_t seen = tuner.discrepancy_batch_size;
  if (seen == 0) {
    seen = (own - 1) / tuner.discrepancy_share + 1;
    while (seen < own && smallest_batch(examples, seen) == 1) ++seen;
  }
  return {.examples = examples,
          .own = own,
          .discrepancy = seen,
          .parts = experiment.model.batch_norm_sync ? 1 : group.size()};
}

SupervisedOptions problem_options(const Experiment& experiment,
                                  const Assembly& assembly,
                                  const BatchSizes& sizes,
                                  Group& group) {
  return {.batch_size = sizes.own,
          .discrepancy_batch_size = sizes.discrepancy,
          .augmentation = experiment.dataset.augmentation,
          .seed = static_cast<uint64_t>(experiment.seed),
          .precision = experiment.precision,
          .device = assembly.device,
          .group = &group};
}

TrainOptions train_options(const Experiment& experiment, const Problem& problem) {
  TrainOptions options;
  const TrainSection& train = experiment.train;
  options.steps = train.steps > 0 ? train.steps : train.epochs * problem.batches->steps_per_pass();
  options.evaluate_every = train.evaluate_every;
  options.patience = train.patience;
  options.train_metrics = train.train_metrics;
  options.average = train.average;
  options.checkpoint_every = train.checkpoint_every;
  options.auto_learning_rate = !experiment.optimizer.learning_rate;
  const ChoiceOf<Schedule>& schedule = experiment.optimizer.schedule;
  if (schedule.name() != schedules().front().name) options.schedule = schedule.make();
  return options;
}

/// Of those that are in a file, or those that are in memory.
int64_t bytes(const Dataset& dataset, bool mapped) {
  int64_t sum = 0;
  for (const Split* split : {&dataset.train, &dataset.validation, &dataset.test}) {
    if (split->is_mapped() != mapped) continue;
    split->visit_tensors([&](const Tensor& t) {
      if (t.defined()) sum += static_cast<int64_t>(t.nbytes()) / t.size(0) * split->size();
    });
  }
  return sum;
}

/// Of a file: larger ones are mapped. What is left is for networks, other runs and the system.
int64_t most_bytes_in_memory(at::Device device) {
  const int64_t on_host = memory_bytes(at::kCPU);
  return std::min(on_host, device.is_cuda() ? memory_bytes(device) : on_host) / 4;
}

/// Throws Error(config) where the examples are no pictures to augment.
void require_pictures(const Experiment& experiment, const Dataset& dataset) {
  const Tensor& inputs = dataset.train.inputs;
  if (experiment.dataset.augmentation == Augmentation::none || inputs.dim() == 4) return;
  throw Error(ErrorKind::config,
              "dataset.augmentation = crop_flip: the examples are no pictures, [channels, height, "
              "width]; accepted: none");
}

/// Supervised where `dataset` is given, else a toy. Notes the model's file.
std::unique_ptr<Problem> make_problem(const Experiment& experiment,
                                      const Dataset* dataset,
                                      const BatchSizes& sizes,
                                      int64_t task_seed,
                                      Group& group,
                                      Assembly& assembly) {
  return experiment.problem.make(
      {.seed = static_cast<uint64_t>(experiment.seed),
       .task_seed = static_cast<uint64_t>(task_seed),
       .dtype = dtype_of(experiment.precision),
       .device = assembly.device,
       .supervised = [&] {
         InitialNetwork initial =
             make_network(experiment, shape_of(*dataset), assembly.device, group);
         assembly.data.model_checksum = initial.file_checksum;
         return make_supervised(std::move(initial.network),
                                make_loss(experiment.loss, *dataset),
                                *dataset,
                                problem_options(experiment, assembly, sizes, group));
       }});
}

/// What is read of files: once, however many train on it. Of a toy nothing.
struct Data {
  explicit Data(const Experiment& experiment) {
    if (!experiment.is_supervised()) return;
    if (!experiment.model.weights.empty()) weights = read_weights(experiment.model.weights);
    dataset = load_dataset(experiment);
    mark = mark_of(*dataset);
  }
  std::optional<WeightsFile> weights;
  std::unique_ptr<Dataset> dataset;
  DataMark mark;
};

/// Of a model that is in a file, the file.
std::string place_of_model(ModelSection model) {
  const nlohmann::ordered_json options = options_to_json(model.choice);
  if (!options.contains("path")) return fmt::format("model.name = {}", model.choice.name());
  return fmt::format("model.path = {}", options["path"].get<std::string>());
}

/// task_seed: of the experiment that this may be a member of.
Assembly assemble_on(const Data& data,
                     const Experiment& experiment,
                     int64_t task_seed,
                     Group& group) {
  const Dataset* dataset = data.dataset.get();
  Assembly assembly;
  assembly.device = resolve_device(experiment.device, group);
  assembly.threads = experiment.threads_to_use();
  if (dataset != nullptr) {
    assembly.data_bytes = bytes(*dataset, false);
    assembly.mapped_bytes = bytes(*dataset, true);
    assembly.data = data.mark;
    require_pictures(experiment, *dataset);
    assembly.shape = shape_of(*dataset);
    assembly.normalisation = dataset->normalisation;
    assembly.about = dataset->about;
  }
  assembly.rule = experiment.optimizer.choice.make(
      {.learning_rate = experiment.optimizer.learning_rate.value_or(1e-3),
       .weight_decay = experiment.optimizer.weight_decay,
       .weight_decay_form = experiment.optimizer.weight_decay_form,
       .clip_norm = experiment.optimizer.clip_norm,
       .clip_outliers = experiment.optimizer.clip_outliers});
  assembly.tuner = experiment.tuner.make();
  BatchSizes sizes;
  if (dataset != nullptr) {
    sizes = batch_sizes(experiment, assembly.tuner->traits(), dataset->train.size(), group);
  }
  assembly.problem = make_problem(experiment, dataset, sizes, task_seed, group, assembly);
  if (dataset != nullptr) {
    const std::string place = place_of_model(experiment.model);
    require_fit(*assembly.problem, place, dataset->outputs(), dataset->classes);
    if (assembly.data.model_checksum) require_trainable(*assembly.problem, place);
  }
  if (assembly.data.model_checksum && experiment.optimizer.choice.name() == "kfac") {
    throw Error(ErrorKind::config,
                "optimizer.name = kfac: sees no linear or convolutional layers in a script; "
                "accepted: the other optimizers");
  }
  assembly.notes = settle_parameters(
      experiment.model, data.weights, assembly.shape.outputs, *assembly.problem->network);
  assembly.tuner->check(*assembly.problem);
  for (const Tensor& parameter : assembly.problem->network->parameters()) {
    assembly.parameters += parameter.numel();
  }
  assembly.options = train_options(experiment, *assembly.problem);
  assembly.tuner->prepare({*assembly.problem, *assembly.rule, assembly.options.steps});
  assembly.data.tuner_checksum = assembly.tuner->file_checksum();
  if (assembly.options.patience > 0 && assembly.problem->validation == nullptr) {
    throw Error(
        ErrorKind::config,
        fmt::format("train.patience = {}: there is no validation set to judge by; accepted: "
                    "0, or a dataset.validation_share",
                    assembly.options.patience));
  }
  if (dataset != nullptr) {
    require_examples_for_all(group.size(), sizes);
    require_batch_statistics(*assembly.problem, sizes, assembly.tuner->traits());
  }
  return assembly;
}

}  // namespace

at::Device resolve_device(const std::string& word, const Group& group) {
  if (word == "cpu") return at::kCPU;
  const bool available = at::Context::hasCUDA();
  const int64_t own = available ? group.local_rank() % static_cast<int64_t>(at::getNumGPUs()) : 0;
  const at::Device first(at::kCUDA, static_cast<at::DeviceIndex>(own));
  if (word == "auto") return available ? first : at::Device(at::kCPU);
  if (!available) {
    throw Error(ErrorKind::config,
                fmt::format("device = {}: no CUDA device can be used here (a CPU build, or no "
                            "driver); accepted: auto, cpu",
                            word));
  }
  if (word != "cuda" && group.local_size() > 1) {
    throw Error(ErrorKind::config,
                fmt::format("device = {}: each of the {} ranks of this machine takes the next; "
                            "accepted: auto, cpu, cuda",
                            word,
                            group.local_size()));
  }
  const at::Device device = word == "cuda" ? first : at::Device(word);
  const auto count = static_cast<int64_t>(at::getNumGPUs());
  if (device.index() >= count) {
    throw Error(
        ErrorKind::config,
        fmt::format("device = {}: of CUDA devices there are {} here, from cuda:0", word, count));
  }
  return device;
}

Range initial_range(const Experiment& experiment) {
  const double rate = experiment.optimizer.learning_rate.value_or(1e-3);
  return experiment.train.population.initial_range.value_or(Range::between(rate / 10, rate * 10));
}

std::vector<PlannedMember> population_of(const Experiment& experiment) {
  std::vector<PlannedMember> planned;
  if (!experiment.is_population()) return planned;
  const int64_t members = experiment.train.population.members;
  const auto seed = static_cast<uint64_t>(experiment.seed);
  for (const double rate : initial_rates(members, initial_range(experiment), seed)) {
    // Populations of other seeds share no member's seed.
    const uint64_t own = seed * static_cast<uint64_t>(members) + planned.size();
    planned.push_back({static_cast<int64_t>(own & INT64_MAX), rate});
  }
  return planned;
}

ModelShape shape_of(const Dataset& dataset) {
  return {.input = dataset.train.inputs.sizes().slice(1).vec(), .outputs = dataset.outputs()};
}

std::unique_ptr<Dataset> load_dataset(const Experiment& experiment) {
  const DatasetSection& section = experiment.dataset;
  const auto seed = static_cast<uint64_t>(experiment.seed);
  const int64_t most = most_bytes_in_memory(resolve_device(experiment.device));
  std::unique_ptr<Dataset> dataset = section.choice.make({.root = section.root,
                                                          .train_examples = section.train_examples,
                                                          .test_examples = section.test_examples,
                                                          .seed = seed,
                                                          .most_bytes_in_memory = most});
  if (section.validation_share > 0) hold_out(*dataset, section.validation_share, seed);
  return dataset;
}

std::vector<Assembly> assemble(const Experiment& experiment,
                               Group& group,
                               std::optional<size_t> member) {
  resolve_device(experiment.device);  // first, so that one that is not there is what is said
  const Data data(experiment);
  std::vector<Assembly> assemblies;
  if (!experiment.is_population())
    assemblies.push_back(assemble_on(data, experiment, experiment.seed, group));
  const std::vector<PlannedMember> all = population_of(experiment);
  for (size_t m = 0; m < all.size(); ++m) {
    if (member.value_or(m) != m) continue;
    Experiment own = experiment;
    own.seed = all[m].seed;
    own.optimizer.learning_rate = all[m].learning_rate;
    assemblies.push_back(assemble_on(data, own, experiment.seed, group));
  }
  return assemblies;
}

}  // namespace apo
