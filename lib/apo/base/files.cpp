#include "apo/base/files.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"

namespace apo {
namespace {

constexpr size_t kPart = size_t{1} << 30;  // zlib counts in 32 bits

uint32_t continued_checksum(uint32_t checksum, const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t done = 0; done < size; done += kPart) {
    const size_t part = std::min(kPart, size - done);
    checksum = static_cast<uint32_t>(crc32(checksum, bytes + done, static_cast<unsigned>(part)));
  }
  return checksum;
}

/// Makes a rename in the folder outlive a loss of power.
bool sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return true;  // a folder that may be written and not read
  const bool synced = sync_file(descriptor);
  const int why = errno;
  ::close(descriptor);
  errno = why;
  return synced;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp") {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) {
    errno = EISDIR;
  } else {
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  if (file_ < 0) fail_writing(path_);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t size) {
  if (!write_all(file_, static_cast<const char*>(data), size)) fail_writing(path_);
  bytes_ += static_cast<int64_t>(size);
  checksum_ = continued_checksum(checksum_, data, size);
}

void AtomicFile::commit() {
  if (!sync_file(file_)) fail_writing(path_);
  if (::close(std::exchange(file_, -1)) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int why = errno;
    ::unlink(temporary_.c_str());
    errno = why;
    fail_writing(path_);
  }
  if (!sync_folder(path_.parent_path())) fail_writing(path_);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

void check_writable(const std::filesystem::path& path) {
  const AtomicFile never_committed(path);
}

std::string read_file(const std::filesystem::path& path, int64_t most) {
  require_regular(path);
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  std::ifstream file(path, std::ios::binary);
  if (failure || !file) {
    throw Error(ErrorKind::data,
                path.string() + ": cannot be read: " +
                    (failure ? failure.message() : std::string(std::strerror(errno))));
  }
  if (size > static_cast<uintmax_t>(most)) {
    throw Error(ErrorKind::data,
                path.string() + ": has " + std::to_string(size) + " bytes; accepted: at most " +
                    std::to_string(most));
  }
  std::string content(size, '\0');
  file.read(content.data(), static_cast<std::streamsize>(size));
  content.resize(static_cast<size_t>(file.gcount()));
  return content;
}

uint32_t checksum_of(std::string_view bytes, uint32_t before) {
  return continued_checksum(before, bytes.data(), bytes.size());
}

std::optional<uint32_t> checksum_of_first(int64_t bytes, int file) {
  std::vector<char> part(size_t{1} << 16);
  uint32_t checksum = 0;
  for (int64_t done = 0; done < bytes;) {
    const auto wanted = std::min<int64_t>(std::ssize(part), bytes - done);
    const ssize_t count = ::pread(file, part.data(), static_cast<size_t>(wanted), done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    checksum = continued_checksum(checksum, part.data(), static_cast<size_t>(count));
    done += count;
  }
  return checksum;
}

bool write_all(int file, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t count = ::write(file, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    data += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

bool sync_file(int file) {
  return ::fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure) return;
  throw Error(ErrorKind::output, folder.string() + ": cannot be made: " + failure.message());
}

void fail_writing(const std::filesystem::path& path) {
  throw Error(ErrorKind::output, path.string() + ": cannot be written: " + std::strerror(errno));
}

}  // namespace apo
