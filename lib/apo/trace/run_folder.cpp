#include "apo/trace/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/events.h"

namespace apo {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLock = ".lock";

/// What a run writes. config.yaml, which marks the folder as a run's, goes last.
constexpr std::array kFiles = {"checkpoints",
                               kTurns,
                               "trace.jsonl",
                               "trace.json",
                               "summary.json",
                               "population.json",
                               "model.safetensors",
                               kAverageModel,
                               "report.html",
                               "log.txt",
                               "config.yaml"};

/// Whether a run has been there that did not come to write its configuration.
bool holds_only_ours(const fs::path& folder) {
  std::error_code ignored;
  const fs::directory_iterator entries(folder, ignored);
  return std::all_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp")) name.resize(name.size() - 4);
    return name == kLock || std::find(kFiles.begin(), kFiles.end(), name) != kFiles.end();
  });
}

std::vector<std::string> event_files(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_event_file(name)) names.push_back(name);
  }
  return names;
}

}  // namespace

std::string member_name(size_t member) {
  return "member=" + std::to_string(member);
}

void check_run_folder(const fs::path& folder, Existing existing) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored))) return;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorKind::config,
                folder.string() + ": is not a folder; give another --output or name");
  }
  const bool has_run = fs::exists(folder / "config.yaml", ignored);
  if (!has_run && !holds_only_ours(folder)) {
    throw Error(
        ErrorKind::config,
        folder.string() + ": exists and is not a run folder; give another --output or name");
  }
  if (has_run && existing == Existing::refuse) {
    throw Error(ErrorKind::config,
                folder.string() +
                    ": exists already; accepted: --resume to go on with it, --overwrite to replace "
                    "it, or another --output or name");
  }
}

void check_grid_folder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored))) return;
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::config,
                folder.string() + ": " + what +
                    ", which a grid does not replace; accepted: another --output or name, or the "
                    "folder moved away");
  };
  if (!fs::is_directory(folder, ignored)) refuse("is not a folder");
  if (fs::exists(folder / "config.yaml", ignored)) refuse("is the folder of a single run");
  // Before its end a grid has nothing there but the folders of its runs.
  for (const char* name : {"grid.json", "grid.json.tmp"}) {
    if (fs::exists(folder / name, ignored)) return;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.is_directory(ignored)) refuse("holds " + entry.path().filename().string());
  }
}

RunFolder::RunFolder(fs::path path, Existing existing, LockKind kind)
    : path_(std::move(path)), existing_(existing), kind_(kind) {
  check_run_folder(path_, existing_);
  std::error_code ignored;
  if (fs::exists(path_ / kLock, ignored)) lock();
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::claim(bool keep_files) {
  make_folder(path_);
  if (lock_ < 0) lock();
  check_run_folder(path_, existing_);  // another may have come first
  std::error_code failure;
  const auto remove = [&](const char* name) {
    if (!failure) fs::remove_all(path_ / name, failure);
  };
  if (keep_files) {
    for (const char* name : {kAverageModel, "summary.json", "population.json"}) remove(name);
  } else {
    for (const std::string& name : event_files(path_)) remove(name.c_str());
    std::for_each(kFiles.begin(), kFiles.end(), remove);
  }
  if (failure) {
    throw Error(ErrorKind::output, path_.string() + ": cannot be emptied: " + failure.message());
  }
}

void RunFolder::remove() {
  claim();
  std::error_code holds_other_things;
  fs::remove(path_ / kLock, holds_other_things);
  fs::remove(path_, holds_other_things);
}

void remove_members_from(size_t first, const fs::path& folder) {
  std::error_code ignored;
  for (size_t m = first; fs::is_directory(folder / member_name(m), ignored); ++m) {
    const fs::path member = folder / member_name(m);
    const bool is_run = fs::exists(member / "config.yaml", ignored) || holds_only_ours(member);
    if (is_run) RunFolder(member, Existing::replace).remove();
  }
}

void RunFolder::lock() {
  lock_ = ::open((path_ / kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) fail_writing(path_);
  const int kind = kind_ == LockKind::exclusive ? LOCK_EX : LOCK_SH;
  if (::flock(lock_, kind | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) {
    throw Error(ErrorKind::config,
                path_.string() +
                    ": another apo-train trains into it; wait for its end, or give "
                    "another --output or name");
  }
  // A file system without locks: the runs on it are on their own.
}

}  // namespace apo
