#include "apo/base/mapped_file.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"
#include "apo/base/system.h"

namespace apo {
namespace {

/// Those that are mapped now, for a handler of signals; of more than these it does not know.
std::array<std::atomic<const MappedFile*>, 16> mapped = {};

/// Exchanges one entry of the table.
void replace_in_table(const MappedFile* before, const MappedFile* after) {
  for (auto& entry : mapped) {
    const MappedFile* expected = before;
    if (entry.compare_exchange_strong(expected, after)) return;
  }
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  const auto fail = [&](const char* what) {
    const std::string why = std::strerror(errno);
    if (file_ >= 0) ::close(file_);
    return Error(ErrorKind::data, fmt::format("{}: cannot be {}: {}", path_.string(), what, why));
  };
  require_regular(path_);
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0 || ::fstat(file_, &opened_) != 0) throw fail("read");
  if (size() > 0) {  // of nothing there is no mapping
    void* begin = ::mmap(nullptr, size(), PROT_READ, MAP_SHARED, file_, 0);
    if (begin == MAP_FAILED) throw fail("mapped");
    bytes_ = static_cast<const char*>(begin);
  }
  fits_memory_ = size() < static_cast<uint64_t>(memory_bytes(at::kCPU)) / 2;
  replace_in_table(nullptr, this);
}

MappedFile::~MappedFile() {
  replace_in_table(this, nullptr);
  if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), size());
  ::close(file_);
}

void MappedFile::require_unchanged() const {
  struct stat now {};
  const bool known = ::fstat(file_, &now) == 0;
  if (known && now.st_size == opened_.st_size && now.st_mtim.tv_sec == opened_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == opened_.st_mtim.tv_nsec) {
    return;
  }
  throw Error(ErrorKind::data,
              path_.string() +
                  ": has changed while it was being read; expected the file to stay as it was "
                  "(dataset.mapped: never reads it once, if it fits into memory)");
}

Tensor tensor_in(const std::shared_ptr<const MappedFile>& file,
                 uint64_t begin,
                 const std::vector<int64_t>& shape,
                 at::ScalarType type) {
  const char* first = file->bytes() + begin;
  if (reinterpret_cast<uintptr_t>(first) % c10::elementSize(type) != 0) {
    Tensor copy = at::empty(shape, type);
    if (copy.numel() > 0) std::memcpy(copy.mutable_data_ptr(), first, copy.nbytes());
    return copy;
  }
  return at::from_blob(
      const_cast<char*>(first), shape, [file](void*) {}, at::TensorOptions(type));
}

void announce_read(const void* begin, size_t bytes) {
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t from = first / page * page;
  ::madvise(reinterpret_cast<void*>(from), first - from + bytes, MADV_WILLNEED);
}

const char* mapped_file_at(const void* address) {
  const auto* byte = static_cast<const char*>(address);
  for (const auto& entry : mapped) {
    const MappedFile* file = entry.load();
    if (file == nullptr || file->bytes() == nullptr) continue;
    if (byte >= file->bytes() && byte < file->bytes() + file->size()) return file->path().c_str();
  }
  return nullptr;
}

}  // namespace apo
