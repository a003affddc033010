#include "apo/trace/jsonl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/regular_file.h"
#include "apo/trace/columns.h"
#include "apo/trace/lines.h"

namespace apo {
namespace {

int64_t size_of(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 ? status.st_size : 0;
}

/// Of all that is in the file.
TraceMark mark_of(int file) {
  const int64_t bytes = size_of(file);
  return {bytes, checksum_of_first(bytes, file).value_or(0)};
}

/// Whether the path still leads to the open file.
bool is_at(const std::filesystem::path& path, int file) {
  struct stat there {};
  struct stat open {};
  return ::stat(path.c_str(), &there) == 0 && ::fstat(file, &open) == 0 &&
         there.st_ino == open.st_ino && there.st_dev == open.st_dev;
}

}  // namespace

void TraceMark::visit_state(StateVisitor& visitor) {
  auto number = static_cast<int64_t>(checksum);
  visitor.integer("trace_bytes", bytes);
  visitor.integer("trace_checksum", number);
  checksum = static_cast<uint32_t>(number);
}

void TraceMark::check(const std::filesystem::path& path) const {
  const auto fail = [&path](const std::string& what) {
    throw Error(ErrorKind::data,
                path.string() + ": " + what +
                    "; accepted: the file as the run left it, or --overwrite, to start anew");
  };
  require_regular(path);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    fail(fmt::format("is gone; the checkpoint was made when it had {} bytes", bytes));
  }
  if (file < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
  const int64_t size = size_of(file);
  const auto found = checksum_of_first(bytes, file);
  ::close(file);
  if (!found) {
    fail(fmt::format("has {} bytes; the checkpoint was made when it had {}", size, bytes));
  }
  if (*found != checksum) {
    fail(
        fmt::format("was changed by another program: the CRC-32 of its first {} bytes is {:08x}, "
                    "and was {:08x} at the checkpoint",
                    bytes,
                    *found,
                    checksum));
  }
}

JsonLines::JsonLines(const std::filesystem::path& path, const TraceOptions& options, int flags)
    : path_(path),
      options_(options),
      file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666)),
      flushed_(std::chrono::steady_clock::now()) {
  if (file_ < 0) fail_writing(path_);
}

JsonLines::JsonLines(const std::filesystem::path& path,
                     const std::string& header,
                     const TraceOptions& options)
    : JsonLines(path, options, O_TRUNC) {
  lines_ = header + "\n";
  flush();
}

JsonLines::JsonLines(const std::filesystem::path& path, const TraceOptions& options)
    : JsonLines(path, options, 0) {
  mark_.bytes = size_of(file_);  // the checksum comes with the state
}

/// Where the run ends by an exception, what waits is still of use.
JsonLines::~JsonLines() {
  try {
    flush();
  } catch (const Error&) {  // has been said, or is less than what ends the run
  }
  ::close(file_);
}

void JsonLines::on_step(const StepRecord& record) {
  if (!options_.keeps(record)) return;
  lines_ += line_of(record);
  flush_if_due();
}

void JsonLines::on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) {
  if (!options_.keeps(record)) return;
  lines_ += line_of(record, values);
  flush_if_due();
}

void JsonLines::on_epoch(const EpochRecord& record) {
  lines_ += line_of(record);
  flush();
}

void JsonLines::on_rollback(const RollbackRecord& record) {
  lines_ += line_of(record);
  flush();
}

void JsonLines::on_end(const RunSummary& summary) {
  nlohmann::ordered_json end = {{"type", "end"}};
  end.update(to_json(summary));
  lines_ += end.dump() + "\n";
  flush();
}

void JsonLines::flush_if_due() {
  const bool due = std::chrono::steady_clock::now() - flushed_ > kLongestWait;
  if (due || lines_.size() > kMostWaiting) flush();
}

/// A file that could not take all of it is left with whole lines.
void JsonLines::flush() {
  if (!write_all(file_, lines_.data(), lines_.size())) {
    const int why = errno;
    lines_.clear();
    [[maybe_unused]] const int cut = ::ftruncate(file_, mark_.bytes);
    errno = why;
    fail_writing(path_);
  }
  mark_.bytes += static_cast<int64_t>(lines_.size());
  mark_.checksum = checksum_of(lines_, mark_.checksum);
  lines_.clear();
  flushed_ = std::chrono::steady_clock::now();
}

void JsonLines::cut_to(const TraceMark& mark) {
  lines_.clear();
  mark.check(path_);
  if (::ftruncate(file_, mark.bytes) != 0) fail_writing(path_);
  mark_ = mark;
}

/// Other programs may have removed or replaced the file, or written into it. The run is not theirs
/// to end: what they moved away is written again, and what they wrote is said and stays.
void JsonLines::keep_whole() {
  if (!is_at(path_, file_)) write_again();
  const int64_t size = size_of(file_);
  if (size == mark_.bytes) return;
  warn(
      fmt::format("warning: {}: was changed by another program while the run trained: has {} "
                  "bytes, expected {}; the run goes on, the trace keeps what is there now",
                  path_.string(),
                  size,
                  mark_.bytes));
  mark_ = mark_of(file_);
}

/// What was written so far is still there as long as the file is open.
void JsonLines::write_again() {
  std::string content(static_cast<size_t>(size_of(file_)), '\0');
  content.resize(
      static_cast<size_t>(std::max<ssize_t>(0, ::pread(file_, content.data(), content.size(), 0))));
  make_folder(path_.parent_path());
  const std::filesystem::path aside = path_.string() + ".other";
  std::error_code none;
  std::filesystem::rename(path_, aside, none);
  warn(
      fmt::format("warning: {}: was {} by another program while the run trained; it is written "
                  "again{}",
                  path_.string(),
                  none ? "removed" : "replaced",
                  none ? "" : ", what was found is kept as " + aside.filename().string()));
  write_file(path_, content);
  const int file = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  if (file < 0) fail_writing(path_);
  ::close(std::exchange(file_, file));
}

void JsonLines::visit_state(StateVisitor& visitor) {
  if (!visitor.restores()) {
    flush();
    keep_whole();
    if (!sync_file(file_)) fail_writing(path_);
  }
  TraceMark mark = mark_;
  mark.visit_state(visitor);
  if (visitor.restores()) cut_to(mark);
}

}  // namespace apo
