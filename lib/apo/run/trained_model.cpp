#include "apo/run/trained_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/run/assemble.h"
#include "apo/run/initial_network.h"
#include "apo/run/plan.h"
#include "apo/run/process.h"
#include "apo/run/weights.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFile = "model.safetensors";
/// Of the model's input, all in all.
constexpr int64_t kMostInputs = 1'000'000'000;

Error no_model(const fs::path& file, const std::string& what) {
  return {ErrorKind::data,
          fmt::format("{}: {}; accepted: the folder of a run that has ended, or its {}",
                      file.string(),
                      what,
                      kFile)};
}

fs::path model_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  fs::path file = path / kFile;
  if (!fs::exists(file, ignored)) throw no_model(path, fmt::format("holds no {}", kFile));
  return file;
}

const std::string& text_of(const WeightsFile& file, const char* key) {
  const auto found = file.metadata.find(key);
  if (found != file.metadata.end()) return found->second;
  throw no_model(file.path, fmt::format("its metadata have no '{}'", key));
}

/// The numbers of a list in the metadata.
template <class Number>
std::vector<Number> numbers_of(const WeightsFile& file, const char* key, const Json& list) {
  const bool right = list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& n) {
                       return std::is_integral_v<Number> ? n.is_number_integer() : n.is_number();
                     });
  if (!right) throw no_model(file.path, fmt::format("its metadata's '{}' is no list", key));
  return list.get<std::vector<Number>>();
}

Json json_of(const WeightsFile& file, const char* key) {
  return Json::parse(text_of(file, key), nullptr, /*allow_exceptions=*/false);
}

ModelShape shape_of(const WeightsFile& file) {
  ModelShape shape{.input = numbers_of<int64_t>(file, "input_shape", json_of(file, "input_shape")),
                   .outputs = 0};
  const Json classes = json_of(file, "classes");
  if (classes.is_number_integer()) shape.outputs = classes.get<int64_t>();
  int64_t inputs = 1;
  bool right = shape.outputs > 0 && shape.outputs <= kMostInputs;
  for (const int64_t size : shape.input) {
    right = right && size > 0 && size <= kMostInputs / inputs;
    if (right) inputs *= size;
  }
  if (!right) throw no_model(file.path, "its metadata's sizes are none of a model");
  return shape;
}

Normalisation normalisation_of(const WeightsFile& file, const ModelShape& shape) {
  const Json json = json_of(file, "normalisation");
  const auto list = [&](const char* key) {
    return numbers_of<double>(
        file, "normalisation", json.is_object() ? json.value(key, Json()) : Json());
  };
  Normalisation normalisation{.mean = list("mean"), .deviation = list("std")};
  const size_t channels = normalisation.mean.size();
  const bool fits = !shape.input.empty() && std::cmp_equal(channels, shape.input.front());
  if (normalisation.deviation.size() != channels || (channels > 0 && !fits)) {
    throw no_model(file.path, "its metadata's 'normalisation' is not one of each channel");
  }
  for (size_t c = 0; c < channels; ++c) {
    if (std::isfinite(normalisation.mean[c]) && normalisation.deviation[c] > 0 &&
        std::isfinite(normalisation.deviation[c])) {
      continue;
    }
    throw no_model(file.path,
                   fmt::format("its metadata's 'normalisation' has the mean {} and the std {} of "
                               "channel {}, where a std is above 0",
                               normalisation.mean[c],
                               normalisation.deviation[c],
                               c));
  }
  return normalisation;
}

char separator_in(const Document& document) {
  const ConfigNode* separator = document.find("dataset.separator");
  if (separator == nullptr || separator->text == "comma") return ',';
  return separator->text == "tab" ? '\t' : ';';
}

std::vector<std::string> class_names_of(const TrainedModel& model) {
  const Json json = metadata_of(model, "class_names");
  const bool right =
      json.is_array() && std::cmp_equal(json.size(), model.shape.outputs) &&
      std::all_of(json.begin(), json.end(), [](const Json& j) { return j.is_string(); });
  return right ? json.get<std::vector<std::string>>() : std::vector<std::string>();
}

/// What the folder says, else the file. JSON is YAML.
Document document_of(const fs::path& path, const WeightsFile& file) {
  std::error_code ignored;
  const fs::path config = path / "config.yaml";
  if (fs::exists(config, ignored)) return Document::load(config);
  return Document::parse(text_of(file, "config"), file.path.string() + ": its metadata's config");
}

Experiment experiment_of(Document document, const fs::path& path, const Overrides& overrides) {
  // What a file does not say, and nothing needs.
  if (document.find("train.epochs") == nullptr && document.find("train.steps") == nullptr) {
    document.set("train.epochs", "1", "train");
  }
  overrides(document);
  const Plan plan = make_plan(std::move(document), "model", std::nullopt);
  if (!plan.note.empty()) say(plan.note + "\n");
  if (plan.runs.size() > 1) {
    throw Error(ErrorKind::config, "--set: a list is a grid; accepted: one value");
  }
  Experiment experiment = plan.runs.front().experiment;
  if (!experiment.is_supervised()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: is of the toy problem {}, which has no data to be used on",
                            path.string(),
                            experiment.problem.name()));
  }
  return experiment;
}

std::string described(const std::vector<int64_t>& input, int64_t outputs, bool classes) {
  return fmt::format(
      "[{}] with {} {}", fmt::join(input, ", "), outputs, classes ? "classes" : "outputs");
}

const Split& part_of(const Dataset& dataset, Part part) {
  if (part == Part::train) return dataset.train;
  return part == Part::test ? dataset.test : dataset.validation;
}

}  // namespace

const char* name_of(Part part) {
  if (part == Part::train) return "train";
  return part == Part::test ? "test" : "validation";
}

TrainedModel load_trained(const fs::path& path, const Overrides& overrides) {
  const WeightsFile file = read_weights(model_file(path));
  Document document = document_of(path, file);
  const char separator = separator_in(document);
  Experiment experiment = experiment_of(std::move(document), file.path, overrides);
  set_up_process(experiment);
  experiment.model.freeze.clear();
  TrainedModel model{.file = file.path,
                     .experiment = std::move(experiment),
                     .shape = shape_of(file),
                     .normalisation = {},
                     .metadata = file.metadata,
                     .class_names = {},
                     .separator = separator,
                     .network = nullptr,
                     .loss = nullptr};
  model.normalisation = normalisation_of(file, model.shape);
  model.class_names = class_names_of(model);
  model.device = resolve_device(model.experiment.device);
  model.network = make_network(model.experiment, model.shape, model.device).network;
  take_weights(file, {}, model.shape.outputs, *model.network);
  model.loss = model.experiment.loss.make();
  return model;
}

Json metadata_of(const TrainedModel& model, const char* key) {
  const auto found = model.metadata.find(key);
  if (found == model.metadata.end()) return {};
  Json json = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw no_model(model.file, fmt::format("its '{}' is no JSON", key));
  return json;
}

Split load_part(const TrainedModel& model, Part part) {
  const std::unique_ptr<Dataset> dataset = load_dataset(model.experiment);
  const bool classes = model.loss->has_classes();
  const auto own = described(model.shape.input, model.shape.outputs, classes);
  const auto there = described(
      dataset->train.inputs.sizes().slice(1).vec(), dataset->outputs(), dataset->classes > 0);
  if (own != there) {
    throw Error(ErrorKind::config,
                fmt::format("dataset.name = {}: its examples are {}; the model's are {}",
                            model.experiment.dataset.choice.name(),
                            there,
                            own));
  }
  const Split& split = part_of(*dataset, part);
  if (!split.inputs.defined()) {
    throw Error(ErrorKind::config,
                fmt::format("--part {}: the data set has no such part; accepted: {}",
                            name_of(part),
                            part == Part::validation ? "train, test" : "train"));
  }
  return split.on(model.device);
}

}  // namespace apo
