// A network that a run has left, to be used.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apo/config/document.h"
#include "apo/run/experiment.h"

namespace apo {

struct TrainedModel {
  std::filesystem::path file;
  Experiment experiment;  ///< the run's, with what has been overridden
  at::Device device = at::kCPU;
  ModelShape shape;
  Normalisation normalisation;                  ///< of the inputs it was trained with
  std::map<std::string, std::string> metadata;  ///< of the file: docs/trace.md
  std::vector<std::string> class_names = {};    ///< of none: empty
  char separator = ',';                         ///< between the fields of its table
  std::unique_ptr<Network> network;
  std::unique_ptr<Loss> loss;
};

/// Changes a configuration before it is read.
using Overrides = std::function<void(Document&)>;

/// Of a run's folder, with its config.yaml, or of a model.safetensors, whose metadata hold the
/// configuration. Sets the process up for it. Throws Error: data (no such file, or not one of
/// ours), config (what the overrides made of it).
TrainedModel load_trained(const std::filesystem::path& path, const Overrides& overrides);

/// The part of the data set that the configuration names, as the model was trained on it, on its
/// device. Throws Error(config) where there is no such part, or the model takes other examples.
Split load_part(const TrainedModel& model, Part part);

/// JSON in the file's metadata; null where there is no such key. Error(data) where it is none.
nlohmann::ordered_json metadata_of(const TrainedModel& model, const char* key);

/// "train", "validation", "test".
const char* name_of(Part part);

}  // namespace apo
