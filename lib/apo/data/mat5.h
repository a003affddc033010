// MATLAB's level 5 MAT-files, as far as data sets need them: the real numeric arrays of a file,
// one after the other.
// Source: MathWorks, "MAT-File Format". The matio library was tried: it returns damaged data
// without a word where a file is cut short or a byte is flipped, and recurses without bound into
// nested cells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/data/files.h"

namespace apo {

/// How the elements of an array are stored, whatever its class: MATLAB stores doubles that are
/// small integers as bytes.
enum class MatType : uint32_t {
  int8 = 1,
  uint8 = 2,
  int16 = 3,
  uint16 = 4,
  int32 = 5,
  uint32 = 6,
  single = 7,
  real = 9,
  int64 = 12,
  uint64 = 13,
};

/// Where an array begins: all but its elements.
struct MatArray {
  std::string name;
  std::vector<int64_t> shape;
  MatType type = MatType::uint8;
  int64_t bytes = 0;  ///< of all elements

  int64_t elements() const;
  /// "32x32x3x10 uint8".
  std::string describe() const;
};

/// Errors (data) of every member: the file, the place and what was expected there.
class MatFile {
 public:
  explicit MatFile(const std::filesystem::path& path);
  ~MatFile();

  /// The next real numeric array, or nothing at the end of the file. Passes over what is left
  /// unread of the array before it, and over text, cells, structures and the like.
  std::optional<MatArray> next();
  /// The elements of the array that next() returned, in column order.
  ByteSource& elements();
  /// Checks that the array ends here, checksum included. Pre: all its elements have been read.
  void finish();

 private:
  class Elements;

  InputFile file_;
  std::unique_ptr<Elements> elements_;
};

}  // namespace apo
