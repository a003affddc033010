// Modules that PyTorch's torch.jit.save wrote.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <filesystem>

namespace apo {

struct ScriptFile {
  torch::jit::Module module;  ///< its forward takes a tensor to a tensor
  int64_t checksum = 0;       ///< CRC-32 of the file
};

/// On the CPU. Throws Error(data) where the file is missing, damaged, of another format or a later
/// version, and where its forward takes or gives anything but one tensor, or assigns an attribute,
/// of which a checkpoint would not know.
ScriptFile read_script(const std::filesystem::path& path);

/// Whether its forward has layers that are LSTM, GRU or plain recurrent ones.
bool has_recurrent_layers(const torch::jit::Module& module);

/// Whether its forward draws random numbers, or calls what cannot be looked into.
bool draws_numbers(const torch::jit::Module& module);

}  // namespace apo
