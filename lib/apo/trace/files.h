// Writing whole files.
#pragma once

#include <filesystem>
#include <string>

namespace apo {

/// Writes `text` under a temporary name, then renames: a reader sees the old file or the new one,
/// never a part. Throws Error(output).
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace apo
