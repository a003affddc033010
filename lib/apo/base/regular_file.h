// What may be opened for reading.
#pragma once

#include <filesystem>

namespace apo {

/// Throws Error(data) where something is there that is no file: opening a named pipe waits for who
/// writes to it, and a device has no end. What is not there at all is left to who opens it.
void require_regular(const std::filesystem::path& path);

}  // namespace apo
