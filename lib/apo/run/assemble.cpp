#include "apo/run/assemble.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/guards.h"
#include "apo/base/random.h"
#include "apo/model/freeze.h"
#include "apo/problem/supervised.h"
#include "apo/run/weights.h"

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
std::shared_ptr<Model> make_model(const Experiment& experiment, const ModelShape& shape) {
  const auto seed = static_cast<uint64_t>(experiment.seed);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(make_generator(seed, RandomStream::model).current_seed());
  return experiment.model.choice.make(shape);
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

int64_t checksum(const Split& split) {
  uint32_t sum = 0;
  split.visit_tensors([&](const Tensor& t) {
    if (!t.defined()) return;
    const Tensor part = t.contiguous();
    sum = checksum_of({static_cast<const char*>(part.const_data_ptr()), part.nbytes()}, sum);
  });
  return sum;
}

int64_t examples_in(const Split& split) {
  return split.targets.defined() ? split.targets.size(0) : 0;
}

DataMark mark_of(const Dataset& dataset) {
  return {.train_examples = examples_in(dataset.train),
          .test_examples = examples_in(dataset.test),
          .train_checksum = checksum(dataset.train),
          .test_checksum = checksum(dataset.test)};
}

/// Supervised where `dataset` is given, else a toy.
std::unique_ptr<Problem> make_problem(const Experiment& experiment,
                                      const Dataset* dataset,
                                      int64_t task_seed,
                                      const Assembly& assembly) {
  return experiment.problem.make(
      {.seed = static_cast<uint64_t>(experiment.seed),
       .task_seed = static_cast<uint64_t>(task_seed),
       .dtype = dtype_of(experiment.precision),
       .device = assembly.device,
       .supervised = [&] {
         return make_supervised(make_network(experiment, shape_of(*dataset), assembly.device),
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
bool takes_one_example(const Dataset& dataset, const Assembly& assembly) {
  Problem& problem = *assembly.problem;
  const at::NoGradGuard no_grad;
  const SwapGuard buffers = kept_buffers(*problem.network);
  std::vector<int64_t> shape = dataset.train.inputs.sizes().vec();
  shape[0] = 1;
  const Tensor one = at::zeros(shape, problem.network->parameters().front().options());
  try {
    problem.network->forward(one);
  } catch (const c10::Error&) {
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
  if (key.empty() || takes_one_example(dataset, assembly)) return;
  throw Error(ErrorKind::config,
              key +
                  ", whose maps of one value BatchNorm cannot normalise; accepted: sizes that "
                  "leave two or more, or larger pictures");
}

/// What is read of files: once, however many train on it. Of a toy nothing.
struct Data {
  explicit Data(const Experiment& experiment) {
    if (!experiment.is_supervised()) return;
    if (!experiment.model.weights.empty()) weights = read_weights(experiment.model.weights);
    dataset = load_dataset(experiment);
    mark = mark_of(*dataset);
  }
  std::unique_ptr<Dataset> dataset;
  DataMark mark;
  std::optional<WeightsFile> weights;
};

/// Lets the network begin with the weights that the experiment names. What is to be said of them
/// and of frozen parts.
std::vector<std::string> settle_parameters(const Experiment& experiment,
                                           const Data& data,
                                           Network& network) {
  std::vector<std::string> notes;
  const ModelSection& model = experiment.model;
  if (data.weights) {
    notes = take_weights(*data.weights,
                         {.partial = model.partial, .new_head = model.new_head},
                         data.dataset->outputs(),
                         network);
  }
  if (!model.freeze.empty()) {
    const std::vector<std::string>& names = network.buffer_names();
    const std::vector<bool> is_frozen = chosen(names, model.freeze);
    std::vector<std::string> frozen;
    for (size_t i = 0; i < names.size(); ++i) {
      if (is_frozen[i]) frozen.push_back(names[i]);
    }
    notes.push_back(fmt::format("frozen: {}", fmt::join(frozen, ", ")));
  }
  return notes;
}

/// task_seed: of the experiment that this may be a member of.
Assembly assemble_on(const Data& data, const Experiment& experiment, int64_t task_seed) {
  const Dataset* dataset = data.dataset.get();
  Assembly assembly;
  assembly.device = resolve_device(experiment.device);
  assembly.threads = experiment.threads_to_use();
  if (dataset != nullptr) {
    assembly.data_bytes = bytes(dataset->train) + bytes(dataset->validation) + bytes(dataset->test);
    assembly.data = data.mark;
    assembly.shape = shape_of(*dataset);
    assembly.normalisation = dataset->normalisation;
  }
  assembly.rule = experiment.optimizer.choice.make(
      {.learning_rate = experiment.optimizer.learning_rate.value_or(1e-3),
       .weight_decay = experiment.optimizer.weight_decay,
       .weight_decay_form = experiment.optimizer.weight_decay_form,
       .clip_norm = experiment.optimizer.clip_norm});
  assembly.tuner = experiment.tuner.make();
  assembly.problem = make_problem(experiment, dataset, task_seed, assembly);
  assembly.notes = settle_parameters(experiment, data, *assembly.problem->network);
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

void DataMark::visit_state(StateVisitor& visitor) const {
  const auto visit = [&visitor](const char* part, int64_t examples, int64_t checksum) {
    int64_t saved_examples = examples;
    int64_t saved_checksum = checksum;
    visitor.integer(fmt::format("{}_examples", part), saved_examples);
    visitor.integer(fmt::format("{}_checksum", part), saved_checksum);
    const bool same_number = saved_examples == examples;
    if (same_number && saved_checksum == checksum) return;
    const auto shown = [&](int64_t number, int64_t sum) {
      return same_number ? fmt::format("{} examples of CRC-32 {:08x}", number, sum)
                         : fmt::format("{} examples", number);
    };
    throw Error(
        ErrorKind::data,
        fmt::format("dataset: the {} set has {}; that of the run that is there has {}, and it "
                    "cannot go on with others; accepted: the same files, or another name",
                    part,
                    shown(examples, checksum),
                    shown(saved_examples, saved_checksum)));
  };
  visit("train", train_examples, train_checksum);
  visit("test", test_examples, test_checksum);
}

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

std::unique_ptr<Dataset> load_dataset(const Experiment& experiment) {
  const DatasetSection& section = experiment.dataset;
  const auto seed = static_cast<uint64_t>(experiment.seed);
  std::unique_ptr<Dataset> dataset = section.choice.make({.root = section.root,
                                                          .train_examples = section.train_examples,
                                                          .test_examples = section.test_examples,
                                                          .seed = seed});
  if (section.validation_share > 0) hold_out(*dataset, section.validation_share, seed);
  return dataset;
}

std::unique_ptr<Network> make_network(const Experiment& experiment,
                                      const ModelShape& shape,
                                      at::Device device) {
  return network_of(
      make_model(experiment, shape),
      {.device = device, .precision = experiment.precision, .frozen = experiment.model.freeze});
}

std::vector<Assembly> assemble(const Experiment& experiment) {
  resolve_device(experiment.device);  // first, so that one that is not there is what is said
  const Data data(experiment);
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
