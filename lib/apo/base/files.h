// Writing files whole, and reading them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace apo {

/// A file that appears whole or not at all: it is written under a temporary name, synced, and takes
/// its place when it is committed. All throw Error(output).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  /// Uncommitted, it leaves nothing.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  /// After it the file outlives a loss of power.
  void commit();

  int64_t bytes() const { return bytes_; }
  /// CRC-32 of what was written, as zlib has it.
  uint32_t checksum() const { return checksum_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int file_ = -1;
  int64_t bytes_ = 0;
  uint32_t checksum_ = 0;
};

/// Writes `text` so that a reader sees the old file or the new one, never a part. Throws
/// Error(output).
void write_file(const std::filesystem::path& path, const std::string& text);

/// Throws the Error(output) that write_file would, as far as can be told; leaves `path` as it is.
void check_writable(const std::filesystem::path& path);

/// The whole content. Throws Error(data), also where the file is larger than `most` bytes.
std::string read_file(const std::filesystem::path& path, int64_t most);

/// CRC-32, as zlib has it; of what `before` is the checksum of and these bytes behind it.
uint32_t checksum_of(std::string_view bytes, uint32_t before = 0);

/// CRC-32 of the first `bytes` bytes of an open file; nothing where it has fewer.
std::optional<uint32_t> checksum_of_first(int64_t bytes, int file);

/// Writes all of it to an open file, or sets errno and returns false.
bool write_all(int file, const char* data, size_t size);

/// fsync; false and errno where it failed, not where the file system has no such thing.
bool sync_file(int file);

/// Makes the folder and those above it. Throws Error(output).
void make_folder(const std::filesystem::path& folder);

/// Throws Error(output) with the reason that errno has.
[[noreturn]] void fail_writing(const std::filesystem::path& path);

}  // namespace apo
