// A table: a CSV file's columns, of numbers or of words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace apo {

/// A value for each row: a number, or a word by its place among the kinds.
struct TableColumn {
  std::string name;
  bool has_words = false;
  std::vector<double> numbers = {};
  std::vector<int32_t> words = {};
  std::vector<std::string> kinds = {};  ///< all different words, in the order of the alphabet
};

struct TableFormat {
  char separator = ',';
  std::vector<std::string> words = {};      ///< columns whose values are words, numbers or not
  std::vector<std::string> leave_out = {};  ///< columns that are not read
  std::string target = {};                  ///< which may have more kinds of words; "": the last
};

struct Table {
  std::vector<TableColumn> columns;  ///< without those that are left out
  size_t target = 0;                 ///< its place among them
  int64_t rows = 0;
  int64_t training_rows = 0;  ///< those of the first file, which come first
};

/// The rows of the file, and behind them those of a second one with the same columns where
/// `more` is not "". A column is of words where its first value is one, or `format` says so. A
/// number among words, a word among numbers, an empty field and a number beyond ±1e100 are Errors
/// (data) that name line and column; a column that `format` names and the header lacks is one of
/// the configuration.
Table read_table(const std::filesystem::path& path,
                 const std::filesystem::path& more,
                 const TableFormat& format);

}  // namespace apo
