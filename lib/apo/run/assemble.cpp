#include "apo/run/assemble.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/guards.h"
#include "apo/base/random.h"
#include "apo/problem/supervised.h"
#include "apo/run/fit.h"

namespace apo {
namespace {

ModelShape shape_of(const Dataset& dataset) {
  return {.input = dataset.train.inputs.sizes().slice(1).vec(), .outputs = dataset.outputs()};
}

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

/// Initial parameters depend on the seed alone, not on what used LibTorch's generator before.
std::shared_ptr<Model> make_model(const Experiment& experiment, const Dataset& dataset) {
  const auto seed = static_cast<uint64_t>(experiment.seed);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(make_generator(seed, RandomStream::model).current_seed());
  return experiment.model.make(shape_of(dataset));
}

/// Examples in x̃.
int64_t discrepancy_batch_size(const Experiment& experiment, const TunerTraits& traits) {
  if (traits.discrepancy_batch_size > 0) return traits.discrepancy_batch_size;
  return (experiment.dataset.batch_size - 1) / traits.discrepancy_share + 1;
}

SupervisedOptions problem_options(const Experiment& experiment, const Assembly& assembly) {
  return {.batch_size = experiment.dataset.batch_size,
          .discrepancy_batch_size = discrepancy_batch_size(experiment, assembly.tuner->traits()),
          .augmentation = experiment.dataset.augmentation,
          .seed = static_cast<uint64_t>(experiment.seed),
          .precision = experiment.precision,
          .device = assembly.device};
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

int64_t bytes(const Split& split) {
  size_t sum = 0;
  split.visit_tensors([&](const Tensor& t) { sum += t.defined() ? t.nbytes() : 0; });
  return static_cast<int64_t>(sum);
}

/// nullptr for a toy.
std::unique_ptr<Dataset> load(const Experiment& experiment) {
  if (!experiment.is_supervised()) return nullptr;
  const DatasetSection& section = experiment.dataset;
  const auto seed = static_cast<uint64_t>(experiment.seed);
  std::unique_ptr<Dataset> dataset = section.choice.make({.root = section.root,
                                                          .train_examples = section.train_examples,
                                                          .test_examples = section.test_examples,
                                                          .seed = seed});
  if (section.validation_share > 0) hold_out(*dataset, section.validation_share, seed);
  return dataset;
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
                                      int64_t task_seed,
                                      Assembly& assembly) {
  return experiment.problem.make(
      {.seed = static_cast<uint64_t>(experiment.seed),
       .task_seed = static_cast<uint64_t>(task_seed),
       .dtype = dtype_of(experiment.precision),
       .device = assembly.device,
       .supervised = [&] {
         std::shared_ptr<Model> model = make_model(experiment, *dataset);
         assembly.data.model_checksum = model->file_checksum();
         return make_supervised(
             network_of(std::move(model),
                        {.device = assembly.device, .precision = experiment.precision}),
             make_loss(experiment.loss, *dataset),
             *dataset,
             problem_options(experiment, assembly));
       }});
}

/// Examples in the smallest batch of a stream.
int64_t smallest_batch(int64_t examples, int64_t batch_size) {
  const int64_t rest = examples % batch_size;
  return rest > 0 ? rest : batch_size;
}

/// Whether BatchNorm has something to normalise by where a batch is one example.
bool takes_one_example(const Problem& problem) {
  const at::NoGradGuard no_grad;
  const SwapGuard buffers = kept_buffers(*problem.network);
  try {
    problem.network->forward(problem.train->slice(0, 1).inputs);
  } catch (const std::exception&) {  // LibTorch's own, or what a script raises
    return false;
  }
  return true;
}

/// A network whose last maps are 1 × 1 has one value per channel in a batch of one example.
void require_batch_statistics(const Experiment& experiment,
                              const Dataset& dataset,
                              const Assembly& assembly) {
  if (assembly.problem->network->buffers().empty()) return;
  const int64_t examples = dataset.train.targets.size(0);
  const int64_t size = experiment.dataset.batch_size;
  const int64_t own = discrepancy_batch_size(experiment, assembly.tuner->traits());
  const int64_t batch = smallest_batch(examples, size);
  const int64_t seen = smallest_batch(examples, own);
  const int64_t share = assembly.tuner->traits().share;
  std::string key;
  if (batch == 1) {
    key = fmt::format(
        "dataset.batch_size = {}: of {} training examples one batch has but one", size, examples);
  } else if (assembly.tuner->traits().interval > 0 && seen == 1) {
    key = fmt::format(
        "tuner.discrepancy_batch_size = {}: of {} training examples one batch has but one",
        own,
        examples);
  } else if (share > 1 && std::min(batch, seen) <= share) {
    key = fmt::format("tuner.lean = true: a quarter of a batch of {} is one example",
                      std::min(batch, seen));
  }
  if (key.empty() || takes_one_example(*assembly.problem)) return;
  throw Error(ErrorKind::config,
              key +
                  ", whose maps of one value BatchNorm cannot normalise; accepted: sizes that "
                  "leave two or more, or larger pictures");
}

/// What is known of the data: once, however many train on them. Of a toy nothing.
struct Data {
  explicit Data(std::unique_ptr<Dataset> loaded) : dataset(std::move(loaded)) {
    if (dataset == nullptr) return;
    mark = mark_of(*dataset);
  }
  std::unique_ptr<Dataset> dataset;
  DataMark mark;
};

/// task_seed: of the experiment that this may be a member of.
Assembly assemble_on(const Data& data, const Experiment& experiment, int64_t task_seed) {
  const Dataset* dataset = data.dataset.get();
  Assembly assembly;
  assembly.device = resolve_device(experiment.device);
  assembly.threads = experiment.threads_to_use();
  if (dataset != nullptr) {
    assembly.data_bytes = bytes(dataset->train) + bytes(dataset->validation) + bytes(dataset->test);
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
       .clip_norm = experiment.optimizer.clip_norm});
  assembly.tuner = experiment.tuner.make();
  assembly.problem = make_problem(experiment, dataset, task_seed, assembly);
  if (dataset != nullptr) {
    require_fit(*assembly.problem, experiment.model.name(), dataset->outputs(), dataset->classes);
  }
  if (assembly.data.model_checksum && assembly.rule->traits().needs_curvature) {
    throw Error(ErrorKind::config,
                "optimizer.name = kfac: sees no linear or convolutional layers in a script; "
                "accepted: the other optimizers");
  }
  assembly.tuner->check(*assembly.problem);
  for (const Tensor& parameter : assembly.problem->network->parameters()) {
    assembly.parameters += parameter.numel();
  }
  assembly.options = train_options(experiment, *assembly.problem);
  if (assembly.options.patience > 0 && assembly.problem->validation == nullptr) {
    throw Error(
        ErrorKind::config,
        fmt::format("train.patience = {}: there is no validation set to judge by; accepted: "
                    "0, or a dataset.validation_share",
                    assembly.options.patience));
  }
  if (dataset != nullptr) require_batch_statistics(experiment, *dataset, assembly);
  return assembly;
}

}  // namespace

at::Device resolve_device(const std::string& word) {
  if (word == "cpu") return at::kCPU;
  const bool available = at::Context::hasCUDA();
  const at::Device first(at::kCUDA, 0);
  if (word == "auto") return available ? first : at::Device(at::kCPU);
  if (!available) {
    throw Error(ErrorKind::config,
                fmt::format("device = {}: no CUDA device can be used here (a CPU build, or no "
                            "driver); accepted: auto, cpu",
                            word));
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

std::vector<Assembly> assemble(const Experiment& experiment) {
  resolve_device(experiment.device);  // first, so that one that is not there is what is said
  const Data data(load(experiment));
  std::vector<Assembly> assemblies;
  if (!experiment.is_population())
    assemblies.push_back(assemble_on(data, experiment, experiment.seed));
  for (const PlannedMember& planned : population_of(experiment)) {
    Experiment member = experiment;
    member.seed = planned.seed;
    member.optimizer.learning_rate = planned.learning_rate;
    assemblies.push_back(assemble_on(data, member, experiment.seed));
  }
  return assemblies;
}

}  // namespace apo
