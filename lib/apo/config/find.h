// From the name of a configuration to its file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace apo {

struct FoundConfig {
  std::filesystem::path file;
  /// For the log, where the file was looked for: "config: found configs/a.yaml"; else empty.
  std::string note;
};

/// The names of the configurations in a folder, without `.yaml`, in their order.
std::vector<std::string> config_names(const std::filesystem::path& folder);

/// A file of that name, with or without `.yaml`; a bare name is also looked for in `folders`, in
/// their order. Throws Error (ErrorKind::config) with the folders looked in and the nearest name.
FoundConfig find_config(const std::string& name, const std::vector<std::filesystem::path>& folders);

}  // namespace apo
