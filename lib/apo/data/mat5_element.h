// One element of a MAT-file's top level as a source of bytes: an array, compressed or not.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <string>

#include "apo/data/files.h"

namespace apo {

constexpr uint32_t kMatArray = 14;
constexpr uint32_t kMatCompressed = 15;

uint32_t little_endian(const uint8_t* bytes);

/// The contents of an element after the tag of its array. Errors (data) of every member name file
/// and element.
class MatElement {
 public:
  /// The element's tag, at byte `place`, has been read from the file.
  MatElement(InputFile& file, int64_t place, bool compressed, int64_t bytes);
  ~MatElement();
  MatElement(const MatElement&) = delete;
  MatElement& operator=(const MatElement&) = delete;

  /// Exactly `count` bytes; an Error where there are fewer.
  void read(void* to, size_t count);
  int64_t position() const { return position_; }
  int64_t left() const { return array_left_; }
  /// Checks that with the array its element has ended, checksum included. Pre: left() = 0.
  void finish();
  /// Passes over what is left in the file.
  void skip();

  /// What the array is called, once that is known, for messages.
  void set_name(const std::string& name) { name_ = name; }
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  void read_file(void* to, size_t count);
  size_t decompress(void* to, size_t count);

  InputFile& file_;
  int64_t place_;
  int64_t end_;
  bool compressed_;
  int64_t file_left_;     // bytes of the element not yet read from the file
  int64_t array_left_;    // bytes of the array not yet read
  int64_t position_ = 0;  // in the decompressed contents
  std::string name_;
  z_stream stream_{};
  bool stream_ended_ = false;
  std::array<uint8_t, 1 << 16> input_;
};

}  // namespace apo
