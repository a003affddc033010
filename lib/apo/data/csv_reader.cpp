#include "apo/data/csv_reader.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "apo/config/characters.h"
#include "apo/data/accepted.h"
#include "apo/data/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 1 << 16;
constexpr int64_t kLongestRecord = 16 << 20;  // bytes
constexpr size_t kMostFields = 10'000;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr int kBetweenRecords = 0;  // csv_parser::pstate, libcsv's ROW_NOT_BEGUN

}  // namespace

/// Feeds libcsv line by line, for it does not tell where it is. Nothing throws through its C code.
class CsvReader::Parser {
 public:
  Parser(const fs::path& path, char separator) : path_(path), file_(path) {
    csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
    csv_set_blk_size(&parser_, kBlockBytes);
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
    fill();
    if (std::string_view(block_).starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool next(std::vector<std::string>& fields) {
    fields_.clear();
    whole_ = false;
    while (!whole_) {
      if (at_ == block_.size() && !fill()) return end(fields);
      feed(next_piece());
    }
    require_text();
    fields.swap(fields_);
    return true;
  }

  int64_t line() const { return record_line_; }

 private:
  static void on_field(void* text, size_t size, void* self) {
    auto& fields = static_cast<Parser*>(self)->fields_;
    if (fields.size() <= kMostFields) fields.emplace_back(static_cast<char*>(text), size);
  }
  static void on_record(int, void* self) { static_cast<Parser*>(self)->whole_ = true; }

  bool fill() {
    block_.resize(kBlockBytes);
    block_.resize(file_.read(block_.data(), kBlockBytes));
    at_ = 0;
    return !block_.empty();
  }

  /// What is left of a line, with its end, as far as the block goes.
  std::string_view next_piece() {
    const size_t end = std::min(block_.find('\n', at_), block_.size() - 1) + 1;
    const std::string_view piece = std::string_view(block_).substr(at_, end - at_);
    at_ = end;
    return piece;
  }

  void feed(std::string_view piece) {
    if (parser_.pstate == kBetweenRecords) {
      record_line_ = line_;
      record_bytes_ = 0;
    }
    record_bytes_ += std::ssize(piece);
    if (record_bytes_ > kLongestRecord) fail(record_line_, "a record of more than 16 MiB");
    const size_t done = csv_parse(&parser_, piece.data(), piece.size(), on_field, on_record, this);
    if (done != piece.size()) {
      fail(line_,
           fmt::format("{}; accepted: a field with quotes is quoted whole, and quotes in it are "
                       "doubled",
                       csv_strerror(csv_error(&parser_))));
    }
    if (fields_.size() > kMostFields) {
      fail(record_line_, fmt::format("more than {} fields", kMostFields));
    }
    if (piece.ends_with('\n')) ++line_;
  }

  /// The last record may lack its line break.
  bool end(std::vector<std::string>& fields) {
    if (std::exchange(ended_, true)) return false;
    if (csv_fini(&parser_, on_field, on_record, this) != 0) {
      fail(record_line_, "a quoted field of the record that begins here has no end");
    }
    require_text();
    fields.swap(fields_);
    return whole_;
  }

  void require_text() const {
    for (const std::string& field : fields_) {
      if (is_utf8(field)) continue;
      fail(record_line_,
           fmt::format("'{}' is not UTF-8; accepted: a table in UTF-8, as iconv -f LATIN1 -t UTF-8 "
                       "makes it of one in Latin-1",
                       in_one_line(field)));
    }
  }

  [[noreturn]] void fail(int64_t line, const std::string& problem) const {
    data_error(path_, fmt::format("line {}: {}", line, problem));
  }

  fs::path path_;
  InputFile file_;
  csv_parser parser_ = {};
  std::string block_;
  size_t at_ = 0;
  int64_t line_ = 1;
  int64_t record_line_ = 1;
  int64_t record_bytes_ = 0;
  std::vector<std::string> fields_;
  bool whole_ = false;
  bool ended_ = false;
};

CsvReader::CsvReader(const fs::path& path, char separator)
    : parser_(std::make_unique<Parser>(path, separator)) {}

CsvReader::~CsvReader() = default;

bool CsvReader::next(std::vector<std::string>& fields) {
  return parser_->next(fields);
}

int64_t CsvReader::line() const {
  return parser_->line();
}

}  // namespace apo
