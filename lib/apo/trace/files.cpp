#include "apo/trace/files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "apo/base/error.h"

namespace apo {

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code failure;
  if (file) std::filesystem::rename(temporary, path, failure);
  if (!file || failure) {
    const std::string why = failure ? failure.message() : std::strerror(errno);
    throw Error(ErrorKind::output, path.string() + ": cannot be written: " + why);
  }
}

}  // namespace apo
