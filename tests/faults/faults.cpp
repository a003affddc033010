// Preloaded into a program, makes one of its calls on files of a folder fail:
//   APO_FAULT_FOLDER   the folder; other files are left alone
//   APO_FAULT_CALL     write, fsync (fdatasync too) or rename
//   APO_FAULT_AT       which of them fails, from 0
//   APO_FAULT_ERRNO    with which error; ENOSPC stays, as a full disk does, others come once
//   APO_FAULT_COUNT    a file that is told at the end how many such calls there were
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::atomic<long> calls{0};

bool is_watched(const char* call, const std::string& path) {
  const std::string folder = setting("APO_FAULT_FOLDER");
  return !folder.empty() && setting("APO_FAULT_CALL") == call && path.starts_with(folder);
}

/// Whether this call is to fail; then errno is set.
bool fails(const char* call, const std::string& path) {
  if (!is_watched(call, path)) return false;
  const long number = calls++;
  const std::string at = setting("APO_FAULT_AT");
  if (at.empty()) return false;
  const int error = std::atoi(setting("APO_FAULT_ERRNO").c_str());
  const long wanted = std::atol(at.c_str());
  if (number != wanted && !(error == ENOSPC && number > wanted)) return false;
  errno = error;
  return true;
}

bool fails_at(const char* call, int descriptor) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size > 0 && fails(call, std::string(path, static_cast<size_t>(size)));
}

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void report() {
  const std::string file = setting("APO_FAULT_COUNT");
  if (file.empty()) return;
  if (std::FILE* out = std::fopen(file.c_str(), "w")) {
    std::fprintf(out, "%ld", calls.load());
    std::fclose(out);
  }
}

struct AtExit {
  ~AtExit() { report(); }
} at_exit;

}  // namespace

// The C library's headers give their parameters reserved names.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
  static auto* const call = original<ssize_t(int, const void*, size_t)>("write");
  return fails_at("write", descriptor) ? -1 : call(descriptor, data, size);
}

int fsync(int descriptor) {
  static auto* const call = original<int(int)>("fsync");
  return fails_at("fsync", descriptor) ? -1 : call(descriptor);
}

int fdatasync(int descriptor) {
  static auto* const call = original<int(int)>("fdatasync");
  return fails_at("fsync", descriptor) ? -1 : call(descriptor);
}

int rename(const char* from, const char* to) {
  static auto* const call = original<int(const char*, const char*)>("rename");
  return fails("rename", std::filesystem::absolute(to)) ? -1 : call(from, to);
}

/// The way out that leaves destructors alone.
void _Exit(int code) {
  report();
  _exit(code);
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
