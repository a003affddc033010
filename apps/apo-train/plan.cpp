#include "plan.h"

#include <fmt/format.h>

#include "apo/base/error.h"
#include "apo/config/grid.h"
#include "apo/config/reader.h"
#include "apo/config/writer.h"
#include "find_config.h"

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

Plan make_plan(const Flags& flags) {
  const FoundConfig found = find_config(flags.config, this_executable());
  Document document = Document::load(found.file);
  apply_overrides(flags, document);

  Plan plan;
  plan.config_file = found.file.string();
  plan.note = found.note;
  plan.axes = Json::object();
  for (const Axis& axis : grid_axes(document)) {
    for (const ConfigNode& value : axis.values) plan.axes[axis.key].push_back(to_json(value));
  }
  for (const GridRun& run : expand_grid(document)) {
    PlannedRun planned;
    planned.label = run.label;
    planned.values = Json::object();
    for (const auto& [key, value] : run.values) planned.values[key] = to_json(value);
    planned.experiment.name = found.file.stem().string();
    read_into(run.document, planned.experiment);
    planned.config = options_to_json(planned.experiment);
    plan.runs.push_back(std::move(planned));
  }
  plan.name = plan.runs.front().experiment.name;
  const auto runs = static_cast<int64_t>(plan.runs.size());
  if (flags.run_index && *flags.run_index >= runs) {
    throw Error(ErrorKind::config,
                fmt::format("--run-index {}: must be >= 0 and < {}", *flags.run_index, runs));
  }
  return plan;
}

}  // namespace apo
