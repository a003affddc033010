// From the word after --config to a file.
#pragma once

#include <filesystem>
#include <string>

namespace apo {

struct FoundConfig {
  std::filesystem::path file;
  /// For the log, where the file was looked for: "config: found configs/a.yaml"; else empty.
  std::string note;
};

/// A file of that name, with or without `.yaml`; a bare name is also looked for in `configs/` here
/// and in `configs/` and `share/apo-train/configs/` of each folder above `executable`, and in their
/// folders `paper` and `smoke`. Throws Error (ErrorKind::config) with the folders looked in and the
/// nearest name.
FoundConfig find_config(const std::string& name, const std::filesystem::path& executable);

/// The running program's file.
std::filesystem::path this_executable();

}  // namespace apo
