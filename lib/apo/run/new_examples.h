// Examples that a trained network has not seen.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apo/run/trained_model.h"

namespace apo {

struct NewExamples {
  Split split;                          ///< inputs alone, on the model's device
  std::vector<std::string> names = {};  ///< of their files, where each has one
};

/// Of a safetensors file the tensor `inputs`, [N, …]; of a table (.csv, .csv.gz) its rows, treated
/// as those of the training set were; a picture, or a folder with pictures and such folders, as the
/// model takes them. Throws Error(data) for what the model cannot take, Error(config) where it was
/// trained on no such data.
NewExamples read_examples(const TrainedModel& model, const std::filesystem::path& path);

}  // namespace apo
