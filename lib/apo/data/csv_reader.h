// Records of a CSV file, one by one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace apo {

/// CSV as RFC 4180 has it, through libcsv: fields may be quoted, quotes in them are doubled, a
/// quoted field may hold line breaks. Spaces around a field that has no quotes are no part of it,
/// empty lines and a byte order mark are passed over. Plain or gzip.
/// Errors (data) name file and line.
class CsvReader {
 public:
  CsvReader(const std::filesystem::path& path, char separator);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  /// The fields of the next record; false where there is none.
  bool next(std::vector<std::string>& fields);
  /// On which the record that was read last begins, counted from 1.
  int64_t line() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace apo
