#include "apo/run/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "apo/base/system.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/run/float32.h"

namespace apo {
namespace {

/// Of examples, batches, epochs: their products fit 64 bits.
const Range kCount = Range::between(0, 1e9);
const Range kPositiveCount = Range::between(1, 1e9);

constexpr const char* kGridHelp =
    "Runs for all combinations of lists of values, the last list running fastest, in folders named "
    "after them.\n\n"
    "    grid: {optimizer.name: [sgd, adam], seed: [0, 1, 2]}    # six runs\n\n"
    "A key is that of any option or section, dotted; each takes a list of one value or more. On "
    "the "
    "command line:\n`--set grid.seed='[0, 1, 2]'`. A list given to `tuner.lambda` is one of the "
    "grid, too. `--list-runs` shows the runs,\n`--jobs N` trains N at a time.";

}  // namespace

DatasetSection::DatasetSection() : choice(datasets(), "mnist") {
  const char* variable = std::getenv("APO_DATA_ROOT");
  root = variable != nullptr && *variable != '\0' ? variable : "data";
}

ModelSection::ModelSection() : choice(models(), "mlp") {}

OptimizerSection::OptimizerSection()
    : choice(update_rules(), "sgd"), schedule(schedules(), schedules().front().name) {}

Experiment::Experiment()
    : problem(problems(), problems().front().name),
      loss(losses(), losses().front().name),
      tuner(tuners(), "movement") {
  optimizer.take_defaults(tuner.make()->traits());
}

void DatasetSection::visit(OptionVisitor& visitor) {
  visitor.choice(choice, "examples and their targets");
  visit_path(
      visitor, "root", root, "folder of the official files; default $APO_DATA_ROOT, else data");
  visitor.integer("batch_size", batch_size, kPositiveCount, "examples per step");
  visitor.one_of("augmentation",
                 augmentation,
                 {{"none", Augmentation::none}, {"crop_flip", Augmentation::crop_flip}},
                 "of training pictures");
  visitor.integer("train_examples", train_examples, kCount, "the first n; 0: all");
  visitor.integer("test_examples", test_examples, kCount, "the first n; 0: all");
  visitor.real("validation_share",
               validation_share,
               Range::half_open(0, 1),
               "of the training examples, of each class alike, held out by the seed: what is best, "
               "when to stop and a grid's ranking are judged on them; 0: none are");
}

void ModelSection::visit(OptionVisitor& visitor) {
  visitor.choice(choice, "architecture");
  visit_path(visitor,
             "weights",
             weights,
             "a safetensors file of initial parameters and statistics, by their names; \"\": "
             "drawn by the seed");
  visitor.flag("partial",
               partial,
               "of the weights, take what there is on both sides, and list the rest in the log");
  visitor.flag("new_head",
               new_head,
               "whatever the weights say of it, the last linear layer is drawn by the seed");
  visitor.require(
      !weights.empty() || !partial, "partial", "is for model.weights, and none are given");
  visitor.require(
      !weights.empty() || !new_head, "new_head", "is for model.weights, and none are given");
  visitor.words("freeze",
                freeze,
                {},
                "names of parameters, or of modules with all theirs, that stay as they are, "
                "BatchNorm statistics among them; * is any characters");
  visitor.flag(
      "batch_norm_sync",
      batch_norm_sync,
      "with several ranks, BatchNorm normalises by the whole batch, not by the rank's part");
}

void OptimizerSection::visit(OptionVisitor& visitor) {
  visitor.choice(choice, "the base optimizer");
  visitor.real_or_auto("learning_rate",
                       learning_rate,
                       Range::above(0),
                       "η, to begin with; auto, the default of tuner.name: movement and replay: "
                       "found at the start, or the trace's; of the other tuners: 0.1");
  visitor.real("weight_decay", weight_decay, Range::at_least(0), "w, in the form below");
  visitor.one_of("weight_decay_form",
                 weight_decay_form,
                 {{"auto", WeightDecay::automatic},
                  {"coupled", WeightDecay::coupled},
                  {"decoupled", WeightDecay::decoupled},
                  {"independent", WeightDecay::independent}},
                 "coupled: g + w θ in place of g; decoupled: η w θ from θ, beside the step; "
                 "independent: w θ, however large η is; auto: coupled, for nadamw decoupled");
  visitor.require(weight_decay_form != WeightDecay::independent || weight_decay < 1,
                  "weight_decay",
                  "must be < 1 where it is the share that weights lose in each step");
  visitor.real("clip_norm",
               clip_norm,
               Range::at_least(0),
               "c, what the gradient's norm over all parameters is cut to, before any decay; 0: "
               "no clipping");
  visitor.section("schedule",
                  "a factor on η over the run, in the base steps alone; by default linear with "
                  "tuner.name: movement, else none",
                  [this](OptionVisitor& v) { v.choice(schedule, "its shape"); });
}

void OptimizerSection::take_defaults(const TunerTraits& tuner) {
  const bool none_needed = tuner.by_length || tuner.replays;
  learning_rate = none_needed ? std::nullopt : std::optional(0.1);
  schedule.select(tuner.by_length ? "linear" : schedules().front().name);
}

void TrainSection::visit(OptionVisitor& visitor) {
  visitor.integer("epochs", epochs, kCount, "passes over the training set");
  visitor.integer("steps", steps, Range::at_least(0), "base steps, instead of epochs");
  visitor.require(
      (epochs > 0) != (steps > 0), "epochs", "give either 'epochs' or 'steps', at least 1");
  visitor.integer("evaluate_every", evaluate_every, kPositiveCount, "epochs between evaluations");
  visitor.integer("patience",
                  patience,
                  kCount,
                  "evaluations without a better validation score after which the run ends; 0: "
                  "never");
  visitor.one_of(
      "train_metrics",
      train_metrics,
      {{"running", TrainMetrics::running}, {"full", TrainMetrics::full}},
      "mean over the epoch's steps, or a pass over the training set at its end, evaluated or not");
  visitor.integer("checkpoint_every",
                  checkpoint_every,
                  Range::at_least(0),
                  "epochs between checkpoints; 0: only at the end and when interrupted");
  visitor.integer("keep_checkpoints",
                  keep_checkpoints,
                  Range::at_least(1),
                  "how many of the newest; the best is kept beside them");
  visitor.one_of("on_divergence",
                 on_divergence,
                 {{"stop", OnDivergence::stop}, {"rollback", OnDivergence::rollback}},
                 "end the run, or go on from the last checkpoint with a smaller learning rate");
  visitor.real("rollback_factor",
               rollback_factor,
               {.lower = 1, .lower_open = true},
               "what a rollback divides the learning rate by");
  visitor.integer("rollback_limit", rollback_limit, Range::at_least(1), "rollbacks of a run");
  visitor.one_of("cuda_graph",
                 cuda_graph,
                 {{"auto", CudaGraph::automatic}, {"off", CudaGraph::off}},
                 "on a GPU, issue each part of a step with one call where it can be recorded");
  visitor.real("rank_patience",
               rank_patience,
               Range::above(0),
               "seconds that one of several ranks waits for the others before the run ends");
  visitor.section("average",
                  "weights averaged over the run, evaluated and saved beside those that it trains",
                  [this](OptionVisitor& v) { average.visit(v); });
  visitor.section("population",
                  "population-based training of the learning rate",
                  [this](OptionVisitor& v) { population.visit(v); });
}

void TraceSection::visit(OptionVisitor& visitor) {
  visitor.integer("every", every, kPositiveCount, "steps between the records of steps");
  visitor.integer("meta_every",
                  meta_every,
                  kPositiveCount,
                  "meta steps between their records; with many layers most of the trace");
  visitor.flag("tensorboard", tensorboard, "write them as an event file of TensorBoard's, too");
}

bool Experiment::is_supervised() const {
  return problem.name() == problems().front().name;
}

bool Experiment::is_population() const {
  return train.population.members > 1;
}

int64_t Experiment::threads_to_use() const {
  return threads > 0 ? threads : usable_cores();
}

std::string Experiment::not_tunable() const {
  std::vector<std::string> tunable;
  for (const HyperparameterSpec& spec : optimizer.choice.make({})->hyperparameters()) {
    tunable.push_back(spec.name);
  }
  const std::vector<std::string> tuned = tuner.make()->traits().tuned;
  for (const std::string& name : tuned) {
    if (std::count(tunable.begin(), tunable.end(), name) == 0) {
      return fmt::format(
          "{} has no '{}'; accepted: {}", optimizer.choice.name(), name, list_or(tunable));
    }
  }
  return "";
}

std::string Experiment::bad_bounds() const {
  const std::unique_ptr<Tuner> made = tuner.make();
  const std::vector<std::string>& tuned = made->traits().tuned;
  const std::vector<HyperparameterSpec> specs =
      optimizer.choice.make({.learning_rate = optimizer.learning_rate.value_or(1)})
          ->hyperparameters();
  for (const auto& [name, range] : made->traits().bounds) {
    if (!tuned.empty() && std::count(tuned.begin(), tuned.end(), name) == 0) {
      return fmt::format("'{}' is not tuned; accepted: {}", name, list_or(tuned));
    }
    const bool is_auto = name == "learning_rate" && !optimizer.learning_rate;
    for (const HyperparameterSpec& spec : specs) {
      if (spec.name != name || is_auto || range.contains(spec.initial)) continue;
      return fmt::format("optimizer.{} = {} lies outside of [{}, {}]",
                         name,
                         spec.initial,
                         range.lower,
                         range.upper);
    }
  }
  return "";
}

void Experiment::require_float32(OptionVisitor& visitor) const {
  Experiment copy = *this;
  const auto check = [&](const char* path, const std::function<void(OptionVisitor&)>& fields) {
    const auto found = beyond_float32(path, fields);
    if (found) visitor.require(false, found->key.c_str(), found->message);
  };
  check("optimizer.", [&](OptionVisitor& v) { copy.optimizer.visit(v); });
  check("tuner.", [&](OptionVisitor& v) { v.choice(copy.tuner, ""); });
  check("problem.", [&](OptionVisitor& v) { v.choice(copy.problem, ""); });
}

void Experiment::visit(OptionVisitor& visitor) {
  visitor.word("name", name, {}, "of the run folder; default: the file's name");
  visitor.require(
      std::regex_match(name, std::regex("[A-Za-z0-9_][A-Za-z0-9._+=,-]{0,199}")),
      "name",
      "must be letters, digits and . _ + = , - and not begin with a sign, since it names a folder");
  visitor.integer("seed", seed, Range::at_least(0), "of every random stream");
  visitor.word("device", device, {}, "auto, cpu, cuda or cuda:N");
  visitor.require(std::regex_match(device, std::regex("auto|cpu|cuda(:[0-9]{1,3})?")),
                  "device",
                  "must be auto, cpu, cuda or cuda:N");
  visitor.integer("threads", threads, Range::between(0, 4096), "0: the cores this process may use");
  visitor.one_of("precision",
                 precision,
                 {{"float32", Precision::float32},
                  {"tf32", Precision::tf32},
                  {"bfloat16", Precision::bfloat16},
                  {"float64", Precision::float64}},
                 "of the forward and backward passes");
  visitor.flag(
      "deterministic",
      deterministic,
      "on a GPU, fixed algorithms instead of the fastest: equal runs are equal to the bit");
  visitor.section("problem",
                  "what is minimised; a toy takes neither dataset nor model nor loss",
                  [this](OptionVisitor& v) { v.choice(problem, "problem"); });
  if (is_supervised()) {
    visitor.section(
        "dataset", "what to learn from", [this](OptionVisitor& v) { dataset.visit(v); });
    visitor.section("model", "the network", [this](OptionVisitor& v) { model.visit(v); });
    visitor.section("loss", "what the outputs cost in training", [this](OptionVisitor& v) {
      v.choice(loss, "loss");
    });
  }
  const std::string before = tuner.name();
  visitor.section("tuner", "what decides the hyperparameters", [this](OptionVisitor& v) {
    v.choice(tuner, "tuner");
  });
  if (tuner.name() != before) optimizer.take_defaults(tuner.make()->traits());
  visitor.section("optimizer", "the base steps", [this](OptionVisitor& v) { optimizer.visit(v); });
  visitor.require(optimizer.learning_rate || tuner.make()->traits().finds_first_rate,
                  "optimizer.learning_rate",
                  "auto needs tuner.name: movement or apo, which find the rate, or replay, which "
                  "is given it; give a number");
  const bool replays = tuner.make()->traits().replays;
  visitor.require(!replays || !optimizer.learning_rate,
                  "optimizer.learning_rate",
                  "a replay has its rates from the trace; accepted: auto, or none said");
  visitor.require(!replays || optimizer.schedule.name() == schedules().front().name,
                  "optimizer.schedule.name",
                  fmt::format("a replay has its rates as the steps of the trace used them, their "
                              "schedule included; accepted: {}",
                              schedules().front().name));
  const bool own_rates = optimizer.choice.make({})->traits().own_rates;
  visitor.require(!own_rates || tuner.name() == tuners().front().name,
                  "tuner.name",
                  fmt::format("{} moves the rates of its weights itself; accepted: {}",
                              optimizer.choice.name(),
                              tuners().front().name));
  visitor.require(!own_rates || optimizer.schedule.name() == schedules().front().name,
                  "optimizer.schedule.name",
                  fmt::format("{} follows its own steps, which would be shorter than it knows; "
                              "accepted: {}",
                              optimizer.choice.name(),
                              schedules().front().name));
  const std::string missing = not_tunable();
  visitor.require(missing.empty(), "tuner.tune", missing);
  const std::string outside = bad_bounds();
  visitor.require(outside.empty(), "tuner.bounds", outside);
  if (precision != Precision::float64) require_float32(visitor);
  visitor.section("train", "how long", [this](OptionVisitor& v) { train.visit(v); });
  visitor.section(
      "trace", "which records are written", [this](OptionVisitor& v) { trace.visit(v); });
  visitor.require(!is_population() || train.on_divergence == TrainSection::OnDivergence::stop,
                  "train.on_divergence",
                  "must be stop in a population, whose diverged members copy others");
  visitor.require(!is_population() || !own_rates,
                  "train.population.members",
                  fmt::format("must be 1 with {}, whose rates are no single one to copy",
                              optimizer.choice.name()));
  visitor.require(!is_population() || !replays,
                  "train.population.members",
                  "must be 1 with tuner.name: replay, whose rates are the trace's");
  visitor.require(!is_population() || train.patience == 0,
                  "train.patience",
                  "must be 0 in a population, whose members end together");
  visitor.require(!is_population() || replays || optimizer.learning_rate,
                  "optimizer.learning_rate",
                  "auto is not for a population, whose members begin with rates of their own; give "
                  "a number");
}

SectionDescription describe_experiment() {
  Experiment experiment;
  SectionDescription keys = describe([&](OptionVisitor& visitor) { experiment.visit(visitor); });
  SectionDescription& grid = keys.sections.emplace_back();
  grid.key = "grid";
  grid.help = kGridHelp;
  return keys;
}

}  // namespace apo
