#include "apo/run/sections.h"

#include <cstdlib>

#include "apo/config/characters.h"

namespace apo {
namespace {

/// Of examples, batches, epochs: their products fit 64 bits.
const Range kCount = Range::between(0, 1e9);
const Range kPositiveCount = Range::between(1, 1e9);
/// What gradients are clipped to, in root mean squares, where it is the default.
constexpr double kOutlier = 2;

}  // namespace

DatasetSection::DatasetSection() : choice(datasets(), "mnist") {
  const char* variable = std::getenv("APO_DATA_ROOT");
  root = variable != nullptr && *variable != '\0' ? variable : "data";
}

ModelSection::ModelSection() : choice(models(), "mlp") {}

OptimizerSection::OptimizerSection()
    : choice(update_rules(), "sgd"), schedule(schedules(), schedules().front().name) {}

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
                       "η, to begin with; auto: found at the start, or the trace's; the default "
                       "of tuner.name: movement and replay and of tuner.solver: exact; of the "
                       "others: 0.1");
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
  visitor.real("clip_outliers",
               clip_outliers,
               Range::at_least(0),
               "r, what the gradient's norm is cut to, after clip_norm, as a multiple of the root "
               "mean square of all norms so far; 0: no such clipping; by default 2 with "
               "tuner.name: movement, else 0");
  visitor.section("schedule",
                  "a factor on η over the run, in the base steps alone; by default linear with "
                  "tuner.name: movement, else none",
                  [this](OptionVisitor& v) { v.choice(schedule, "its shape"); });
}

void OptimizerSection::take_defaults(const TunerTraits& tuner) {
  learning_rate = tuner.auto_by_default ? std::nullopt : std::optional(0.1);
  clip_outliers = tuner.by_length ? kOutlier : 0;
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

}  // namespace apo
