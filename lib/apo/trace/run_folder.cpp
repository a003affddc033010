#include "apo/trace/run_folder.h"

#include "apo/base/error.h"

namespace apo {

namespace fs = std::filesystem;

namespace {

/// What a run writes. config.yaml, which marks the folder as a run's, goes last.
constexpr const char* kFiles[] = {"trace.jsonl",
                                  "trace.json",
                                  "summary.json",
                                  "population.json",
                                  "report.html",
                                  "log.txt",
                                  "config.yaml"};

}  // namespace

void check_run_folder(const fs::path& folder, bool overwrite) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored))) return;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorKind::config,
                folder.string() + ": is not a folder; give another --output or name");
  }
  if (fs::is_empty(folder, ignored)) return;
  if (!fs::exists(folder / "config.yaml", ignored)) {
    throw Error(
        ErrorKind::config,
        folder.string() + ": exists and is not a run folder; give another --output or name");
  }
  if (!overwrite) {
    throw Error(ErrorKind::config,
                folder.string() +
                    ": exists already; accepted: --overwrite to replace it, or another "
                    "--output or name");
  }
}

void claim_run_folder(const fs::path& folder, bool overwrite) {
  check_run_folder(folder, overwrite);
  std::error_code failure;
  for (const char* name : kFiles) {
    if (!failure) fs::remove_all(folder / name, failure);
  }
  if (!failure) fs::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::output, folder.string() + ": cannot be made: " + failure.message());
  }
}

}  // namespace apo
