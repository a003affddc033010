// Where configurations are looked for by their names.
#pragma once

#include <filesystem>
#include <vector>

namespace apo {

/// The folders that exist of `configs/` here and of `configs/` and `share/apo-train/configs/` in
/// each folder above `executable`, with their folders `paper` and `smoke`; the nearest first.
std::vector<std::filesystem::path> config_folders(const std::filesystem::path& executable);

/// The running program's file.
std::filesystem::path this_executable();

}  // namespace apo
