// Parameters in a file, whoever wrote it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "apo/base/tensors.h"

namespace apo {

struct WeightsFile {
  std::filesystem::path path;
  std::map<std::string, Tensor> tensors;        ///< on the CPU
  std::map<std::string, std::string> metadata;  ///< of model.safetensors: docs/trace.md
  uint32_t checksum = 0;                        ///< CRC-32
};

/// Of a safetensors file with that content. Throws Error(data).
WeightsFile parse_weights(const std::string& content, const std::filesystem::path& path);
/// The same, read.
WeightsFile read_weights(const std::filesystem::path& path);

}  // namespace apo
