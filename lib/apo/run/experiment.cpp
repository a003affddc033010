#include "apo/run/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "apo/base/system.h"
#include "apo/base/text.h"
#include "apo/run/float32.h"

namespace apo {
namespace {

constexpr const char* kGridHelp =
    "Runs for all combinations of lists of values, the last list running fastest, in folders named "
    "after them.\n\n"
    "    grid: {optimizer.name: [sgd, adam], seed: [0, 1, 2]}    # six runs\n\n"
    "A key is that of any option or section, dotted; each takes a list of one value or more. On "
    "the "
    "command line:\n`--set grid.seed='[0, 1, 2]'`. A list given to `tuner.lambda` is one of the "
    "grid, too. `--list-runs` shows the runs,\n`--jobs N` trains N at a time.";

}  // namespace

Experiment::Experiment()
    : problem(problems(), problems().front().name),
      loss(losses(), losses().front().name),
      tuner(tuners(), "movement") {
  optimizer.take_defaults(tuner.make()->traits());
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
  const TunerTraits before = tuner.make()->traits();
  visitor.section("tuner", "what decides the hyperparameters", [this](OptionVisitor& v) {
    v.choice(tuner, "tuner");
  });
  const TunerTraits traits = tuner.make()->traits();
  if (traits.auto_by_default != before.auto_by_default || traits.by_length != before.by_length) {
    optimizer.take_defaults(traits);
  }
  visitor.section("optimizer", "the base steps", [this](OptionVisitor& v) { optimizer.visit(v); });
  visitor.require(optimizer.learning_rate || traits.finds_first_rate,
                  "optimizer.learning_rate",
                  "auto needs tuner.name: movement or apo, which find the rate, or replay, which "
                  "is given it; give a number");
  visitor.require(!traits.replays || !optimizer.learning_rate,
                  "optimizer.learning_rate",
                  "a replay has its rates from the trace; accepted: auto, or none said");
  visitor.require(!traits.replays || optimizer.schedule.name() == schedules().front().name,
                  "optimizer.schedule.name",
                  fmt::format("a replay has its rates as the steps of the trace used them, their "
                              "schedule included; accepted: {}",
                              schedules().front().name));
  const bool own_rates = optimizer.choice.make({})->traits().own_rates;
  visitor.require(
      !own_rates || tuner.name() == tuners().front().name,
      "tuner.name",
      fmt::format("{} moves the rates of its weights itself and takes no tuner, the default "
                  "one neither; accepted: {}",
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
  visitor.require(!is_population() || !traits.replays,
                  "train.population.members",
                  "must be 1 with tuner.name: replay, whose rates are the trace's");
  visitor.require(!is_population() || train.patience == 0,
                  "train.patience",
                  "must be 0 in a population, whose members end together");
  visitor.require(!is_population() || traits.replays || optimizer.learning_rate,
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
