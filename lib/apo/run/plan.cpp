#include "apo/run/plan.h"

#include <fmt/format.h>

#include "apo/base/error.h"
#include "apo/config/characters.h"
#include "apo/config/describe.h"
#include "apo/config/grid.h"
#include "apo/config/moved.h"
#include "apo/config/reader.h"
#include "apo/config/supersede.h"
#include "apo/config/writer.h"

namespace apo {

using Json = nlohmann::ordered_json;

Json Plan::resolved() const {
  Json config = runs.front().config;
  for (const auto& [key, values] : axes.items()) {
    if (key == "tuner.lambda") {
      config["tuner"]["lambda"] = values;
    } else {
      config["grid"][key] = values;
    }
  }
  return config;
}

std::string Plan::list() const {
  std::string list;
  for (size_t i = 0; i < runs.size(); ++i) {
    list += fmt::format("{:4}  {}\n", i, runs[i].label.empty() ? "(one run)" : runs[i].label);
  }
  return list;
}

namespace {

/// A run without a name is called as its file; messages about that name say so.
void name_after_file(Document& document, const std::filesystem::path& file) {
  if (document.find("name") != nullptr) return;
  document.set("name",
               ConfigNode{.kind = ConfigNode::Kind::scalar,
                          .text = file.stem().string(),
                          .quoted = true,
                          .where = in_one_line(file.string()) +
                                   ", whose name is the run's where no other is given (--set "
                                   "name=…)"});
}

/// What were tuners, and a form of weight decay when only Adam had one.
const std::vector<MovedMember>& moved_members() {
  static const std::vector<MovedMember> moved = {
      {.key = "tuner.name",
       .name = "pbt",
       .now = {{"tuner.name", "constant", {"pbt"}}, {"train.population.members", "4"}},
       .keys = {{"tuner.population", "train.population.members"},
                {"tuner.interval", "train.population.interval"},
                {"tuner.initial_range", "train.population.initial_range"},
                {"tuner.factors", "train.population.factors"},
                {"tuner.resample_probability", "train.population.resample_probability"}}},
      {.key = "tuner.name",
       .name = "smd",
       .now = {{"optimizer.name", "smd", {"sgd", "smd"}}, {"tuner.name", "constant", {"smd"}}},
       .keys = {{"tuner.meta_rate", "optimizer.meta_rate"},
                {"tuner.decay", "optimizer.decay"},
                {"tuner.floor", "optimizer.floor"}}},
      {.key = "optimizer.decoupled_weight_decay",
       .name = "true",
       .now = {{"optimizer.weight_decay_form", "decoupled", {"decoupled"}}},
       .keys = {}},
      {.key = "optimizer.decoupled_weight_decay",
       .name = "false",
       .now = {{"optimizer.weight_decay_form", "coupled"}},
       .keys = {}},
  };
  return moved;
}

/// Old keys where they are now, and none that later words leave without a meaning.
std::vector<std::string> settle(Document& document, const SectionDescription& keys) {
  std::vector<std::string> notes = adopt_moved(document, moved_members());
  const std::vector<std::string> dropped = drop_superseded(document, keys);
  notes.insert(notes.end(), dropped.begin(), dropped.end());
  return notes;
}

void add_notes(const std::vector<std::string>& lines, std::string& note) {
  for (const std::string& line : lines) {
    if (note.find(line) == std::string::npos) note += (note.empty() ? "" : "\n") + line;
  }
}

}  // namespace

Plan make_plan(Document document,
               const std::filesystem::path& file,
               std::optional<int64_t> run_index) {
  const SectionDescription keys = describe([](OptionVisitor& visitor) {
    Experiment experiment;
    experiment.visit(visitor);
  });

  Plan plan;
  plan.config_file = file.string();
  plan.axes = Json::object();
  std::string notes;
  add_notes(settle(document, keys), notes);
  plan.given = document;
  name_after_file(document, file);
  const Grid grid(document);
  for (const Axis& axis : grid.axes()) {
    for (const ConfigNode& value : axis.values) plan.axes[axis.key].push_back(to_json(value));
  }
  for (size_t i = 0; i < grid.size(); ++i) {
    GridRun run = grid.run(i);
    add_notes(settle(run.document, keys), notes);
    PlannedRun planned;
    planned.label = run.label;
    planned.values = Json::object();
    for (const auto& [key, value] : run.values) planned.values[key] = to_json(value);
    read_into(run.document, planned.experiment);
    planned.config = options_to_json(planned.experiment);
    plan.runs.push_back(std::move(planned));
  }
  if (!run_index) plan.note = notes;  // a grid says it once
  plan.name = plan.runs.front().experiment.name;
  const auto runs = static_cast<int64_t>(plan.runs.size());
  if (run_index && *run_index >= runs) {
    throw Error(ErrorKind::config,
                fmt::format("--run-index {}: must be >= 0 and < {}", *run_index, runs));
  }
  return plan;
}

}  // namespace apo
