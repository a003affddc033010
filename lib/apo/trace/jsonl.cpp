#include "apo/trace/jsonl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <iterator>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/columns.h"

namespace apo {
namespace {

constexpr size_t kMostWaiting = 1 << 16;  // bytes
constexpr std::chrono::milliseconds kLongestWait{500};

/// A JSON number that reads back exactly, or null.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "null";
}

}  // namespace

JsonLines::JsonLines(const std::filesystem::path& path, int flags)
    : path_(path),
      file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666)),
      flushed_(std::chrono::steady_clock::now()) {
  if (file_ < 0) fail_writing(path_);
}

JsonLines::JsonLines(const std::filesystem::path& path, const std::string& header)
    : JsonLines(path, O_TRUNC) {
  lines_ = header + "\n";
  flush();
}

JsonLines::JsonLines(const std::filesystem::path& path) : JsonLines(path, 0) {
  bytes_ = static_cast<int64_t>(std::filesystem::file_size(path));
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
  fmt::format_to(std::back_inserter(lines_),
                 R"({{"type":"step","step":{},"loss":{},"learning_rate":{}}})"
                 "\n",
                 record.step,
                 number(record.loss),
                 number(record.learning_rate));
  flush_if_due();
}

void JsonLines::on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) {
  auto out = std::back_inserter(lines_);
  fmt::format_to(out,
                 R"({{"type":"meta","step":{},"objective":{},"loss_term":{},"discrepancy":{},)"
                 R"("skipped":{},"gradient":{{)",
                 record.step,
                 number(record.objective),
                 number(record.loss_term),
                 number(record.discrepancy),
                 record.skipped);
  size_t k = 0;
  for (const auto& groups : record.gradient) {
    for (const double gradient : groups) {
      fmt::format_to(out, R"({}"{}":{})", k > 0 ? "," : "", values[k].name, number(gradient));
      ++k;
    }
  }
  lines_ += R"(},"hyperparameters":{)";
  for (k = 0; k < values.size(); ++k) {
    fmt::format_to(out, R"({}"{}":{})", k > 0 ? "," : "", values[k].name, number(values[k].value));
  }
  lines_ += "}}\n";
  flush_if_due();
}

void JsonLines::on_epoch(const EpochRecord& record) {
  const Metrics test = record.test.value_or(Metrics{std::nan(""), std::nullopt});
  fmt::format_to(std::back_inserter(lines_),
                 R"({{"type":"epoch","epoch":{},"step":{},"train_loss":{},"train_accuracy":{},)"
                 R"("test_loss":{},"test_accuracy":{},"learning_rate":{},"wall_seconds":{}}})"
                 "\n",
                 record.epoch,
                 record.step,
                 number(record.train.loss),
                 number(record.train.accuracy),
                 number(test.loss),
                 number(test.accuracy),
                 number(record.learning_rate),
                 number(record.wall_seconds));
  flush();
}

void JsonLines::on_rollback(const RollbackRecord& record) {
  fmt::format_to(std::back_inserter(lines_),
                 R"({{"type":"rollback","step":{},"to_step":{},"learning_rate":{}}})"
                 "\n",
                 record.step,
                 record.to_step,
                 number(record.learning_rate));
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
    [[maybe_unused]] const int cut = ::ftruncate(file_, bytes_);
    errno = why;
    fail_writing(path_);
  }
  bytes_ += static_cast<int64_t>(lines_.size());
  lines_.clear();
  flushed_ = std::chrono::steady_clock::now();
}

void JsonLines::cut_to(int64_t bytes) {
  lines_.clear();
  if (bytes < 0 || bytes > bytes_) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has {} bytes; the checkpoint was made when it had {}",
                            path_.string(),
                            bytes_,
                            bytes));
  }
  if (::ftruncate(file_, bytes) != 0) fail_writing(path_);
  bytes_ = bytes;
}

void JsonLines::visit_state(StateVisitor& visitor) {
  if (!visitor.restores()) {
    flush();
    if (!sync_file(file_)) fail_writing(path_);
  }
  int64_t bytes = bytes_;
  visitor.integer("trace_bytes", bytes);
  if (visitor.restores()) cut_to(bytes);
}

}  // namespace apo
