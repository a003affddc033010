// Files of data sets: where they may lie, and reading them with bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// What the errors say about getting a data set's files, and where those are looked for.
struct FileSource {
  /// As scripts/download_data.sh knows it.
  std::string name;
  /// Customary subfolders of the root, looked into before the root itself, for MNIST and
  /// Fashion-MNIST share their files' names.
  std::vector<std::string> folders;
  /// The official archive that holds the files, or "".
  std::string archive;
  /// The Debian package that holds the files, or "".
  std::string package;
};

/// The paths of `names`, each as it is or with .gz, from the first folder that holds them all.
/// Error (data) where there is none: what was looked for, where, and how to get it.
std::vector<std::filesystem::path> find_files(const FileSource& source,
                                              const std::filesystem::path& root,
                                              const std::vector<std::string>& names);

/// Throws the Error (data) "path: problem".
[[noreturn]] void data_error(const std::filesystem::path& path, const std::string& problem);

/// What is in a folder, in the order of names; hidden files are none of it. Error (data) where it
/// cannot be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// How many examples to read when `asked` are wanted (0: all) of the `available`. Error (data)
/// where there are fewer. kind: "training" or "test".
int64_t examples_to_read(int64_t asked,
                         int64_t available,
                         const std::filesystem::path& path,
                         const std::string& kind);

/// Error (data) where a label is no whole number of the closed `range`. labels: [N] of any type;
/// place: says where label i lies.
void check_labels(const Tensor& labels,
                  std::pair<int64_t, int64_t> range,
                  const std::filesystem::path& path,
                  const std::function<std::string(int64_t)>& place);

/// Bytes in order, decompressed where they were compressed.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `count` bytes; fewer only where the bytes end. Errors (data): unreadable, corrupt.
  virtual size_t read(void* to, size_t count) = 0;
};

/// A plain or a gzip file.
class InputFile : public ByteSource {
 public:
  explicit InputFile(std::filesystem::path path);
  ~InputFile() override;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  size_t read(void* to, size_t count) override;
  /// Whether nothing follows. Reads one byte, and with the last one checks gzip's checksum.
  bool at_end();
  const std::filesystem::path& path() const { return path_; }
  /// Bytes read so far, counted in the decompressed contents.
  int64_t position() const { return position_; }

 private:
  std::filesystem::path path_;
  void* file_;  // gzFile
  int64_t position_ = 0;
};

/// Up to `limit` whole rows of `width` bytes: uint8 [n, width]. Memory grows with what is read,
/// not with what a header claims.
Tensor read_rows(ByteSource& source, int64_t width, int64_t limit);

}  // namespace apo
