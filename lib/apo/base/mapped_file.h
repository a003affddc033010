// A file's bytes as memory that the system reads when they are looked at, and takes back when
// memory is wanted.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// For reading alone: such a mapping counts neither as the process's memory nor as promised memory,
/// so it may be larger than all that there is. (at::from_file maps for writing, too, and what is
/// larger than memory and swap is refused.) Who writes to it ends with SIGSEGV.
class MappedFile {
 public:
  /// Throws Error(data) where it cannot be opened or mapped.
  explicit MappedFile(std::filesystem::path path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const char* bytes() const { return bytes_; }
  uint64_t size() const { return static_cast<uint64_t>(opened_.st_size); }

  /// Whether there is memory for it beside the rest: then, once read, it is not read from the disk
  /// again.
  bool fits_memory() const { return fits_memory_; }

  /// Throws Error(data) where the file has another size or time of change than when it was opened.
  /// One system call.
  void require_unchanged() const;

 private:
  std::filesystem::path path_;
  int file_ = -1;
  struct stat opened_ {};
  const char* bytes_ = nullptr;
  bool fits_memory_ = true;
};

/// The values at `begin` of the file, row by row, without a copy; they keep the file. Where that is
/// no place for the type, a copy of them. Pre: they lie in the file.
Tensor tensor_in(const std::shared_ptr<const MappedFile>& file,
                 uint64_t begin,
                 const std::vector<int64_t>& shape,
                 at::ScalarType type);

/// Says that the `bytes` bytes from `begin` of a mapping will be read soon, so that those which lie
/// apart come from the disk at once and not one after the other. One system call.
void announce_read(const void* begin, size_t bytes);

/// The path of the mapped file that has the address, or nullptr. For a handler of SIGBUS, which
/// comes where a mapped file has become shorter or its disk fails.
const char* mapped_file_at(const void* address);

}  // namespace apo
