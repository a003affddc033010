#include "apo/base/regular_file.h"

#include <fmt/format.h>

#include "apo/base/error.h"

namespace apo {
namespace {

const char* kind_of(std::filesystem::file_type type) {
  switch (type) {
    case std::filesystem::file_type::directory:
      return "a folder";
    case std::filesystem::file_type::fifo:
      return "a named pipe";
    case std::filesystem::file_type::socket:
      return "a socket";
    case std::filesystem::file_type::block:
    case std::filesystem::file_type::character:
      return "a device";
    default:
      return "something else";
  }
}

}  // namespace

void require_regular(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) return;
  throw Error(ErrorKind::data,
              fmt::format("{}: is no file but {}; accepted: a file, which can be read twice",
                          path.string(),
                          kind_of(status.type())));
}

}  // namespace apo
