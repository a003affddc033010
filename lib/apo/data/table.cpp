#include "apo/data/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/data/csv_reader.h"
#include "apo/data/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostKinds = 1000;           // of an input
constexpr size_t kMostTargetKinds = 100'000;  // classes
constexpr double kLargest = 1e100;            // whose square is a number, too
constexpr size_t kShownBytes = 40;

/// Of a field, in a message.
std::string shown(const std::string& text) {
  const bool is_long = text.size() > kShownBytes;
  return fmt::format("'{}{}'", in_one_line(text.substr(0, kShownBytes)), is_long ? "…" : "");
}

std::optional<double> number_in(const std::string& text) {
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  double number = 0;
  const auto [stop, problem] = std::from_chars(begin, end, number);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return number;
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Takes the values of a column, and says what is wrong with one; who knows its place says where.
class ColumnReader {
 public:
  ColumnReader(std::string name, bool left_out, bool words, size_t most_kinds)
      : left_out_(left_out), forced_(words), most_kinds_(most_kinds) {
    column_.name = std::move(name);
    column_.has_words = words;
  }

  bool left_out() const { return left_out_; }
  const std::string& name() const { return column_.name; }

  /// What is wrong with the value, or "".
  std::string add(const std::string& text) {
    if (left_out_) return "";
    if (text.empty()) return "is empty; expected a number or a word";
    const std::optional<double> number = forced_ ? std::nullopt : number_in(text);
    if (!known_ && !forced_) column_.has_words = !number;
    known_ = true;
    if (column_.has_words) return number ? amid(text, "a number among words") : add_word(text);
    if (!number) return amid(text, "no number, as those before it are");
    if (!(std::abs(*number) <= kLargest)) return shown(text) + "; expected a number within ±1e100";
    column_.numbers.push_back(*number);
    return "";
  }

  /// With the kinds of words in the order of the alphabet.
  TableColumn take() {
    std::vector<int32_t> order(column_.kinds.size());
    std::iota(order.begin(), order.end(), 0);
    const auto& kinds = column_.kinds;
    std::sort(
        order.begin(), order.end(), [&](int32_t a, int32_t b) { return kinds[a] < kinds[b]; });
    std::vector<int32_t> place(order.size());
    std::vector<std::string> sorted(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      place[order[i]] = static_cast<int32_t>(i);
      sorted[i] = kinds[order[i]];
    }
    for (int32_t& word : column_.words) word = place[word];
    column_.kinds = std::move(sorted);
    return std::move(column_);
  }

 private:
  std::string add_word(const std::string& text) {
    const auto [found, is_new] =
        numbers_of_kinds_.try_emplace(text, static_cast<int32_t>(column_.kinds.size()));
    if (is_new) column_.kinds.push_back(text);
    column_.words.push_back(found->second);
    if (column_.kinds.size() <= most_kinds_) return "";
    return fmt::format(
        "{} is the {}th different word; accepted: {} at most; name the column in "
        "dataset.leave_out where it tells nothing",
        shown(text),
        column_.kinds.size(),
        most_kinds_);
  }

  static std::string amid(const std::string& text, const char* what) {
    return fmt::format(
        "{} is {}; accepted: either numbers or words; a column of both is named in "
        "dataset.words",
        shown(text),
        what);
  }

  bool left_out_;
  bool forced_;
  bool known_ = false;
  size_t most_kinds_;
  TableColumn column_;
  std::unordered_map<std::string, int32_t> numbers_of_kinds_;
};

/// Error (config) where a column that the configuration names is not there.
void require_column(const std::string& key,
                    const std::string& name,
                    const std::vector<std::string>& header,
                    const fs::path& path) {
  if (holds(header, name)) return;
  const size_t count = std::min<size_t>(header.size(), 20);
  throw Error(ErrorKind::config,
              fmt::format("dataset.{} = {}: {} has no such column{}; its columns: {}{}",
                          key,
                          in_one_line(name),
                          path.string(),
                          did_you_mean(name, header),
                          in_one_line(fmt::format(
                              "{}", fmt::join(header.begin(), header.begin() + count, ", "))),
                          header.size() > count ? ", …" : ""));
}

void check_header(const std::vector<std::string>& header, const fs::path& path) {
  std::vector<std::string> names = header;
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    data_error(path, fmt::format("line 1: two columns are called {}", shown(*twice)));
  }
  if (names.size() < 2) {
    data_error(path,
               fmt::format("line 1: one column, {}; expected a header of two or more, parted as "
                           "dataset.separator says",
                           shown(names.front())));
  }
}

/// The columns while they are read.
class TableReader {
 public:
  TableReader(const fs::path& path, const TableFormat& format) : format_(format) {
    add(path);
    training_rows_ = rows_;
  }

  void add(const fs::path& path) {
    CsvReader reader(path, format_.separator);
    std::vector<std::string> fields;
    if (!reader.next(fields)) data_error(path, "is empty; expected a header line");
    begin(fields, path);
    const int64_t before = rows_;
    while (reader.next(fields)) {
      add_row(fields, reader.line(), path);
      ++rows_;
    }
    if (rows_ == before) data_error(path, "has no rows under its header");
  }

  Table take() {
    Table table{.columns = {}, .target = 0, .rows = rows_, .training_rows = training_rows_};
    for (ColumnReader& column : columns_) {
      if (column.left_out()) continue;
      if (column.name() == target_) table.target = table.columns.size();
      table.columns.push_back(column.take());
    }
    return table;
  }

 private:
  void begin(const std::vector<std::string>& header, const fs::path& path) {
    if (!header_.empty()) {
      if (header == header_) return;
      data_error(path, "line 1: its columns are not those of the training file, in their order");
    }
    check_header(header, path);
    header_ = header;
    for (const std::string& name : format_.words) require_column("words", name, header, path);
    for (const std::string& name : format_.leave_out) {
      require_column("leave_out", name, header, path);
    }
    target_ = format_.target.empty() ? header.back() : format_.target;
    require_column("target", target_, header, path);
    columns_.reserve(header.size());
    for (const std::string& name : header) {
      columns_.emplace_back(name,
                            name != target_ && holds(format_.leave_out, name),
                            holds(format_.words, name),
                            name == target_ ? kMostTargetKinds : kMostKinds);
    }
  }

  void add_row(const std::vector<std::string>& fields, int64_t line, const fs::path& path) {
    if (fields.size() != columns_.size()) {
      data_error(path,
                 fmt::format("line {}: {} fields; expected {}, as in the header",
                             line,
                             fields.size(),
                             columns_.size()));
    }
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::string problem = columns_[i].add(fields[i]);
      if (problem.empty()) continue;
      data_error(
          path,
          fmt::format(
              "line {}, column {} ({}): {}", line, i + 1, shown(columns_[i].name()), problem));
    }
  }

  const TableFormat& format_;
  std::vector<std::string> header_;
  std::string target_;
  std::vector<ColumnReader> columns_;
  int64_t rows_ = 0;
  int64_t training_rows_ = 0;
};

}  // namespace

Table read_table(const fs::path& path, const fs::path& more, const TableFormat& format) {
  TableReader reader(path, format);
  if (!more.empty()) reader.add(more);
  return reader.take();
}

}  // namespace apo
