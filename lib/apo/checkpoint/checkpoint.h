// One checkpoint: two files, NAME.safetensors with the tensors and NAME.json with the rest.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "apo/base/state.h"

namespace apo {

struct Checkpoint {
  int64_t step = 0;
  bool best = false;              ///< of those so far
  bool scheduled = true;          ///< by train.checkpoint_every; not by an interruption or the end
  nlohmann::ordered_json config;  ///< the run's, resolved
  State state;
};

/// Of the files' format: docs/checkpoints.md.
constexpr int kCheckpointVersion = 2;
/// With which the names of all checkpoints begin.
constexpr const char* kCheckpointPrefix = "step-";
/// "step-000001200"
std::string checkpoint_name(int64_t step);

/// Writes both files whole, the JSON last: a checkpoint is there once that is. docs/checkpoints.md
/// describes them. Throws Error(output).
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// Reads the checkpoint whose JSON file is `path`, and checks it by its checksums. Throws
/// Error(data) that says what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace apo
