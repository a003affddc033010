// Writing whole files.
#pragma once

#include <filesystem>
#include <string>

namespace apo {

/// Writes `text` under a temporary name, then renames: a reader sees the old file or the new one,
/// never a part. Throws Error(output).
void write_file(const std::filesystem::path& path, const std::string& text);

/// Throws the Error(output) that write_file would, as far as can be told; leaves `path` as it is.
void check_writable(const std::filesystem::path& path);

}  // namespace apo
