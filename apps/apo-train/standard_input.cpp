#include "standard_input.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "apo/base/error.h"

namespace apo {
namespace {

constexpr size_t kMaximalSize = size_t{16} << 20;

/// A file in memory with the text; -1 where there is none.
int copy = -1;

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::config, fmt::format("{}: {}", kStandardInput, message));
}

std::string read_all() {
  std::string text;
  char buffer[1 << 16];
  ssize_t size = 0;
  while ((size = ::read(STDIN_FILENO, buffer, sizeof buffer)) != 0) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) fail(fmt::format("cannot be read: {}", std::strerror(errno)));
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > kMaximalSize) fail("more than 16 MiB; a YAML configuration is accepted");
  }
  if (text.empty()) fail("nothing came; a YAML configuration is accepted");
  return text;
}

/// Throws where the system has no room for it.
void keep(const std::string& text) {
  copy = ::memfd_create("configuration", MFD_CLOEXEC);
  const bool is_kept =
      copy >= 0 && ::write(copy, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::lseek(copy, 0, SEEK_SET) == 0 && ::dup2(copy, STDIN_FILENO) == STDIN_FILENO;
  if (!is_kept) fail(fmt::format("cannot be kept for children: {}", std::strerror(errno)));
}

}  // namespace

std::string read_standard_input() {
  std::string text = read_all();
  keep(text);
  return text;
}

std::string standard_input_of_children() {
  // Opened anew, it is read from its beginning, whoever else reads it.
  return copy < 0 ? "/dev/null" : fmt::format("/proc/self/fd/{}", copy);
}

}  // namespace apo
