#include "apo/trace/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <isa-l/crc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/trace/events.pb.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr std::string_view kSuffix = ".apo-train";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Little-endian.
template <class Integer>
std::string bytes_of(Integer value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(Integer); ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

/// CRC-32C, turned and shifted as TFRecord has it: of bytes that hold their own CRC it says little.
std::string masked_checksum(std::string bytes) {
  constexpr uint32_t kAll = 0xffffffff;
  const uint32_t crc = ~crc32_iscsi(
      reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), kAll);
  return bytes_of((crc >> 15 | crc << 17) + 0xa282ead8);
}

/// As TFRecord frames it.
std::string framed(const proto::Event& event) {
  const std::string data = event.SerializeAsString();
  const std::string length = bytes_of(uint64_t{data.size()});
  return length + masked_checksum(length) + data + masked_checksum(data);
}

proto::Event event_at(int64_t step) {
  proto::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  return event;
}

/// One event with the scalars of a record.
class Scalars {
 public:
  explicit Scalars(int64_t step) : event_(event_at(step)) {}

  void add(std::string tag, std::optional<double> number) {
    if (!number) return;
    proto::Summary::Value& value = *event_.mutable_summary()->add_value();
    value.set_tag(std::move(tag));
    value.set_simple_value(static_cast<float>(*number));
  }
  void add(const char* loss_tag, const char* accuracy_tag, const std::optional<Metrics>& metrics) {
    if (!metrics) return;
    add(loss_tag, metrics->loss);
    add(accuracy_tag, metrics->accuracy);
  }
  std::string framed() const { return event_.has_summary() ? apo::framed(event_) : ""; }

 private:
  proto::Event event_;
};

/// Named for the second, but behind all that are there: TensorBoard reads them in that order.
fs::path next_file(const fs::path& folder) {
  constexpr long long kLast = 9'999'999'999;  // of ten digits
  auto number = static_cast<long long>(now());
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!is_event_file(name)) continue;
    const long long taken = std::strtoll(name.c_str() + kPrefix.size(), nullptr, 10);
    number = std::max(number, std::min(taken, kLast - 1) + 1);
  }
  return folder / fmt::format("{}{:010}{}", kPrefix, number, kSuffix);
}

bool is_removed(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && status.st_nlink == 0;
}

}  // namespace

bool is_event_file(const std::string& name) {
  return name.starts_with(kPrefix) && name.ends_with(kSuffix);
}

EventFile::EventFile(fs::path folder, const TraceOptions& options, bool tells_gain)
    : folder_(std::move(folder)),
      options_(options),
      tells_gain_(tells_gain),
      flushed_(std::chrono::steady_clock::now()) {}

/// Where the run ends by an exception, what waits is still of use.
EventFile::~EventFile() {
  try {
    flush();
  } catch (const Error&) {  // has been said, or is less than what ends the run
  }
  close();
}

void EventFile::on_meta(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) {
  begin(record.step);
  if (!options_.keeps(record)) return;
  Scalars scalars(record.step);
  scalars.add("meta/objective", record.objective);
  scalars.add("meta/loss_term", record.loss_term);
  scalars.add("meta/discrepancy", record.discrepancy);
  scalars.add("meta/movement", std::sqrt(record.discrepancy));
  for (const HyperparameterRecord& each : values) {
    scalars.add("hyperparameters/" + each.name, each.value);
  }
  events_ += scalars.framed();
  meta_ = record;
  flush_if_due();
}

void EventFile::on_step(const StepRecord& record) {
  begin(record.step);
  Scalars scalars(record.step);
  const std::optional<MetaRecord> meta = std::exchange(meta_, std::nullopt);
  if (meta && tells_gain_) scalars.add("meta/gain", record.loss - meta->loss_term);
  if (options_.keeps(record)) {
    scalars.add("train/loss", record.loss);
    scalars.add("train/learning_rate", record.learning_rate);
    scalars.add("train/learned_rate", record.learned_rate);
  }
  events_ += scalars.framed();
  flush_if_due();
}

void EventFile::on_epoch(const EpochRecord& record) {
  begin(record.step);
  write(record);
  flush();
}

void EventFile::write(const EpochRecord& record) {
  Scalars scalars(record.step);
  scalars.add("train/epoch_loss", "train/accuracy", record.train);
  scalars.add("test/loss", "test/accuracy", record.test);
  scalars.add("validation/loss", "validation/accuracy", record.validation);
  if (const auto& average = record.average) {
    scalars.add("average/train_loss", "average/train_accuracy", average->train);
    scalars.add("average/test_loss", "average/test_accuracy", average->test);
  }
  scalars.add("time/wall_seconds", record.wall_seconds);
  scalars.add("meta/share", record.meta_share);
  events_ += scalars.framed();
}

void EventFile::on_end(const RunSummary&) {
  flush();
}

/// The step is the first of a file.
void EventFile::begin(int64_t step) {
  if (file_ >= 0) return;
  open();
  proto::Event start = event_at(step);
  start.mutable_session_log()->set_status(proto::SessionLog::START);
  events_ += framed(start);
  if (last_epoch_ && last_epoch_->step == step) write(*last_epoch_);
}

/// The version stands before what waits.
void EventFile::open() {
  make_folder(folder_);
  path_ = next_file(folder_);
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail_writing(path_);
  bytes_ = 0;
  proto::Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  events_.insert(0, framed(version));
}

void EventFile::close() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

void EventFile::flush_if_due() {
  const bool due = std::chrono::steady_clock::now() - flushed_ > kLongestWait;
  if (due || events_.size() > kMostWaiting) flush();
}

/// A file that could not take all of it is left with whole events.
void EventFile::flush() {
  if (file_ < 0) return;
  if (is_removed(file_)) {
    warn(
        fmt::format("warning: {}: was removed by another program while the run trained; further "
                    "events go into another file",
                    path_.string()));
    close();
    open();
  }
  if (!write_all(file_, events_.data(), events_.size())) {
    const int why = errno;
    events_.clear();
    [[maybe_unused]] const int cut = ::ftruncate(file_, bytes_);
    errno = why;
    fail_writing(path_);
  }
  bytes_ += static_cast<int64_t>(events_.size());
  events_.clear();
  flushed_ = std::chrono::steady_clock::now();
}

void EventFile::sync() {
  flush();
  if (file_ >= 0 && !sync_file(file_)) fail_writing(path_);
}

void EventFile::go_back(const std::optional<EpochRecord>& last) {
  events_.clear();
  meta_.reset();
  close();
  last_epoch_ = last;
}

}  // namespace apo
