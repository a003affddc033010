#include "apo/base/create_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

/// Removed with the block that it is made in.
struct Temporary {
  fs::path path;
  explicit Temporary(fs::path name) : path(std::move(name)) {}
  ~Temporary() { ::unlink(path.c_str()); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
};

/// That no other process has, of whatever machine, nor another thread of this one.
fs::path unused_name(const fs::path& path, const fs::path& folder) {
  static std::atomic<int64_t> count = 0;
  std::array<char, HOST_NAME_MAX + 1> host{};
  ::gethostname(host.data(), host.size() - 1);
  return folder /
         fmt::format("{}.{}-{}-{}", path.filename().string(), host.data(), ::getpid(), ++count);
}

/// NFS may lose the answer to a link that was made, and then say that the name is taken.
bool is_linked(const fs::path& path) {
  const int why = errno;
  struct stat status {};
  const bool linked = ::stat(path.c_str(), &status) == 0 && status.st_nlink == 2;
  errno = why;
  return linked;
}

}  // namespace

bool create_file(const fs::path& path, const std::string& text, const fs::path& scratch) {
  const Temporary own(unused_name(path, scratch));
  write_file(own.path, text);
  if (::link(own.path.c_str(), path.c_str()) == 0 || is_linked(own.path)) {
    const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_CLOEXEC);
    if (folder >= 0) {
      sync_file(folder);
      ::close(folder);
    }
    return true;
  }
  if (errno == EEXIST) return false;
  throw Error(ErrorKind::output,
              path.string() + ": cannot be made as a hard link: " + std::strerror(errno) +
                  "; accepted: a file system that has them");
}

}  // namespace apo
