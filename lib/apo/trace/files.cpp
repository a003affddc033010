#include "apo/trace/files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "apo/base/error.h"

namespace apo {
namespace {

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  return path.string() + ".tmp";
}

[[noreturn]] void cannot_be_written(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorKind::output, path.string() + ": cannot be written: " + why);
}

}  // namespace

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = temporary_name(path);
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code failure;
  if (file) std::filesystem::rename(temporary, path, failure);
  if (!file || failure) cannot_be_written(path, failure ? failure.message() : std::strerror(errno));
}

void check_writable(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) cannot_be_written(path, std::strerror(EISDIR));
  const std::filesystem::path temporary = temporary_name(path);
  if (!std::ofstream(temporary)) cannot_be_written(path, std::strerror(errno));
  std::filesystem::remove(temporary);
}

}  // namespace apo
