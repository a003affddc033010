#include "apo/run/files.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <fstream>

#include "apo/base/files.h"
#include "apo/base/safetensors.h"
#include "apo/base/version.h"
#include "apo/config/writer.h"
#include "apo/trace/columns.h"
#include "apo/trace/read_trace.h"
#include "apo/trace/report.h"
#include "apo/train/initial_hyperparameters.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

Json header(const Experiment& experiment, const Json& config, const Assembly& assembly) {
  return {{"format", "apo-trace"},
          {"version", 1},
          {"name", experiment.name},
          {"config", config},
          {"environment",
           {{"device", assembly.device.str()},
            {"libtorch", TORCH_VERSION},
            {"threads", assembly.threads},
            {"version", version()},
            {"commit", commit()}}}};
}

constexpr size_t kStartColumns = 100;

/// The rate of this run: a member of a population has one of its own.
std::string first_rate(const Assembly& assembly) {
  if (assembly.options.auto_learning_rate) return "auto";
  const auto specs = assembly.rule->hyperparameters();
  const auto rate = std::find_if(specs.begin(), specs.end(), [](const HyperparameterSpec& spec) {
    return spec.name == "learning_rate";
  });
  return fmt::format("{:.4g}", rate->initial);
}

/// What is trained, on what and how, in two lines; the second takes what does not fit the first.
std::vector<std::string> start_lines(const std::string& name,
                                     const Json& config,
                                     const Assembly& assembly,
                                     size_t columns) {
  const auto named = [&](const char* section) {
    return config.at(section).at("name").get<std::string>();
  };
  std::vector<std::string> parts;
  if (assembly.data.train_examples > 0) {
    parts.push_back(fmt::format("{} ({} training, {} test examples)",
                                named("dataset"),
                                assembly.data.train_examples,
                                assembly.data.test_examples));
    parts.push_back(named("model"));
  } else {
    parts.push_back(named("problem"));
  }
  parts.push_back(fmt::format("{} parameters", assembly.parameters));
  parts.push_back(fmt::format("{} (rate {})", named("optimizer"), first_rate(assembly)));
  const Json& tuner = config.at("tuner");
  std::string of_tuner;
  if (tuner.contains("lambda")) of_tuner = fmt::format(" (lambda {})", tuner["lambda"].dump());
  if (tuner.contains("trace")) of_tuner = fmt::format(" of {}", tuner["trace"].get<std::string>());
  parts.push_back(named("tuner") + of_tuner);
  if (const int64_t members = config.at("train").at("population").at("members"); members > 1) {
    parts.push_back(fmt::format("a population of {}", members));
  }
  parts.push_back(fmt::format("{} steps of {} an epoch",
                              assembly.options.steps,
                              assembly.problem->batches->steps_per_pass()));
  parts.push_back(fmt::format("{}, {} thread{}",
                              assembly.device.str(),
                              assembly.threads,
                              assembly.threads == 1 ? "" : "s"));

  std::vector<std::string> lines = {name + ": " + parts.front()};
  for (size_t i = 1; i < parts.size(); ++i) {
    const bool fits = lines.back().size() + 3 + parts[i].size() <= columns;
    if (fits || lines.size() == 2) {
      lines.back() += ", " + parts[i];
    } else {
      lines.back() += ",";
      lines.push_back("  " + parts[i]);
    }
  }
  return lines;
}

std::string first_line(const Json& header) {
  Json line = {{"type", "header"}};
  line.update(header);
  return line.dump();
}

/// Of the configuration what the parameters depend on: not where, how long and with what words. Of
/// a path the name is left, for where the run stood is nobody's business.
Json essential(Json config) {
  for (const char* key : {"name", "device", "threads", "train", "trace"}) config.erase(key);
  if (config.contains("dataset")) config["dataset"].erase("root");
  for (const char* section : {"dataset", "model", "tuner"}) {
    for (const char* key : {"path", "test_path", "trace"}) {
      if (!config.contains(section) || !config[section].contains(key)) continue;
      Json& path = config[section][key];
      path = std::filesystem::path(path.get<std::string>()).filename().string();
    }
  }
  return config;
}

/// What one needs to use the parameters, as texts.
std::map<std::string, std::string> metadata(const Json& config, const Assembly& assembly) {
  std::map<std::string, std::string> texts = {{"config", essential(config).dump()}};
  if (!config.contains("model")) return texts;
  const ModelShape& shape = assembly.shape;
  const Normalisation& normalisation = assembly.normalisation;
  Json architecture = config["model"];
  for (const char* key : {"weights", "partial", "new_head", "freeze"}) architecture.erase(key);
  texts["architecture"] = architecture.dump();
  texts["classes"] = std::to_string(shape.outputs);
  texts["input_shape"] = Json(shape.input).dump();
  texts["normalisation"] =
      Json{{"mean", normalisation.mean}, {"std", normalisation.deviation}}.dump();
  texts.insert(assembly.about.begin(), assembly.about.end());
  return texts;
}

JsonLines open_lines(const std::filesystem::path& folder,
                     const Json& header,
                     const TraceOptions& options,
                     bool resumed) {
  const std::filesystem::path file = folder / "trace.jsonl";
  return resumed ? JsonLines(file, options) : JsonLines(file, first_line(header), options);
}

/// Whether meta steps see the loss after the step, on all of the examples that the step sees.
bool tells_gain(const Json& tuner) {
  return tuner.value("loss_term", "") == "loss" && !tuner.value("lean", false);
}

}  // namespace

TraceOptions trace_options(const Experiment& experiment, const Assembly& assembly) {
  return {.every = experiment.trace.every,
          .meta_every = experiment.trace.meta_every,
          .interval = assembly.tuner->traits().interval,
          .tensorboard = experiment.trace.tensorboard};
}

void write_summary(const std::filesystem::path& folder,
                   const std::string& name,
                   const RunSummary& summary) {
  Json json = {{"name", name}};
  json.update(to_json(summary));
  write_file(folder / "summary.json", json.dump(2) + "\n");
}

namespace {

void write_network(const std::filesystem::path& path,
                   const Assembly& assembly,
                   const std::map<std::string, std::string>& metadata) {
  const State state =
      state_of([&](StateVisitor& visitor) { visit_state(*assembly.problem, visitor); });
  std::map<std::string, Tensor> model;
  for (const std::string prefix : {"parameters/", "buffers/"}) {
    for (const auto& [name, tensor] : state.tensors) {
      if (name.starts_with(prefix)) model[name.substr(prefix.size())] = tensor;
    }
  }
  AtomicFile file(path);
  write_safetensors(model, file, metadata);
  file.commit();
}

}  // namespace

void write_model(const std::filesystem::path& folder,
                 const Json& config,
                 const Assembly& assembly) {
  write_network(folder / "model.safetensors", assembly, metadata(config, assembly));
}

void write_average(const std::filesystem::path& folder,
                   const Json& config,
                   const Assembly& assembly) {
  std::map<std::string, std::string> texts = metadata(config, assembly);
  texts["average"] = config["train"]["average"].dump();
  write_network(folder / kAverageModel, assembly, texts);
}

namespace {

DiagnosisOptions diagnosis_options(const Assembly& assembly) {
  const TunerTraits& traits = assembly.tuner->traits();
  const Hyperparameters phi =
      initial_hyperparameters(*assembly.rule, *assembly.tuner, *assembly.problem);
  DiagnosisOptions options{.tuned = names_of_tuned(phi, *assembly.problem),
                           .ranges = {},
                           .meta_steps = traits.interval > 0,
                           .proximal = traits.proximal};
  for (const HyperparameterSpec& spec : phi.specs()) options.ranges[spec.name] = spec.range;
  return options;
}

}  // namespace

RunFiles::RunFiles(const Experiment& experiment,
                   const Json& config,
                   const Assembly& assembly,
                   const RunSettings& settings,
                   const std::filesystem::path& folder,
                   bool resumed,
                   const std::string& label)
    : folder_(folder),
      name_(experiment.name),
      header_(header(experiment, config, assembly)),
      log_(folder_, settings.log_level, label),
      lines_(open_lines(folder_, header_, trace_options(experiment, assembly), resumed)),
      console_({.live = settings.live,
                .total_steps = assembly.options.steps,
                .steps_per_epoch = assembly.problem->batches->steps_per_pass(),
                .log = [this](const std::string& line) { log_.info(line); },
                .warn = [this](const std::string& line) { log_.warn(line); }}) {
  lines_.warn = [this](const std::string& line) { log_.warn(line); };
  if (experiment.trace.tensorboard) {
    events_.emplace(folder_, trace_options(experiment, assembly), tells_gain(config.at("tuner")));
    events_->warn = lines_.warn;
  }
  const TunerTraits& traits = assembly.tuner->traits();
  if (!traits.tuned.empty() && !traits.replays) {
    diagnosis_.emplace(diagnosis_options(assembly), [this](const WarningRecord& record) {
      lines_.on_warning(record);
      console_.on_warning(record);
    });
  }
  const size_t columns = kStartColumns - (label.empty() ? 0 : label.size() + 2);
  for (const std::string& line : start_lines(name_, config, assembly, columns)) log_.info(line);
  for (const std::string& line : assembly.notes) log_.info(line);
  write_file(folder_ / "config.yaml", to_yaml(config));
}

std::vector<Observer*> RunFiles::observers() {
  std::vector<Observer*> all = {&lines_};
  if (events_) all.push_back(&*events_);
  if (diagnosis_) all.push_back(&*diagnosis_);
  all.push_back(&console_);
  return all;
}

void RunFiles::visit_state(StateVisitor& visitor) {
  lines_.visit_state(visitor);
  if (diagnosis_) {
    visitor.section("diagnosis", [this](StateVisitor& v) { diagnosis_->visit_state(v); });
  }
  if (!events_) return;
  if (visitor.restores()) {
    events_->go_back(last_epoch(folder_ / "trace.jsonl"));
  } else {
    events_->sync();
  }
}

void RunFiles::finish(const RunSummary& summary) {
  std::ifstream lines(folder_ / "trace.jsonl");
  write_columns(lines, header_, folder_ / "trace.json");
  write_summary(folder_, name_, summary);
  const std::string warning =
      try_write_report(folder_ / "report.html", name_, {{.label = name_, .folder = folder_}});
  if (!warning.empty()) log_.warn(warning);
  log_.info("traces: " + folder_.string());
}

}  // namespace apo
