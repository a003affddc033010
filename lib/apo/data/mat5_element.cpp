#include "apo/data/mat5_element.h"

#include <fmt/format.h>

#include <algorithm>

namespace apo {

uint32_t little_endian(const uint8_t* bytes) {
  return uint32_t{bytes[3]} << 24 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[1]} << 8 | bytes[0];
}

MatElement::MatElement(InputFile& file, int64_t place, bool compressed, int64_t bytes)
    : file_(file),
      place_(place),
      end_(place + 8 + bytes),
      compressed_(compressed),
      file_left_(bytes),
      array_left_(bytes) {
  if (!compressed_) return;
  if (inflateInit(&stream_) != Z_OK) fail("no memory to decompress it");
  try {
    std::array<uint8_t, 8> tag{};
    array_left_ = 8;
    read(tag.data(), tag.size());
    const uint32_t type = little_endian(tag.data());
    if (type != kMatArray) fail(fmt::format("holds type {}; expected {} (array)", type, kMatArray));
    array_left_ = little_endian(&tag[4]);
  } catch (...) {
    inflateEnd(&stream_);
    throw;
  }
}

MatElement::~MatElement() {
  if (compressed_) inflateEnd(&stream_);
}

void MatElement::read(void* to, size_t count) {
  if (static_cast<int64_t>(count) > array_left_) {
    fail(fmt::format("ends at byte {} of its contents, where {} more were expected",
                     position_ + array_left_,
                     static_cast<int64_t>(count) - array_left_));
  }
  if (!compressed_) {
    read_file(to, count);
  } else if (decompress(to, count) < count) {
    fail(fmt::format("its compressed data end early, after byte {} of its contents", position_));
  }
  position_ += static_cast<int64_t>(count);
  array_left_ -= static_cast<int64_t>(count);
}

void MatElement::finish() {
  if (!compressed_) return;
  uint8_t byte = 0;
  if (decompress(&byte, 1) > 0) fail("its compressed data go on after the array's end");
  const int64_t left = file_left_ + stream_.avail_in;
  if (left > 0) fail(fmt::format("{} bytes follow its compressed data", left));
}

void MatElement::skip() {
  while (file_left_ > 0) {
    read_file(input_.data(), std::min<size_t>(input_.size(), static_cast<size_t>(file_left_)));
  }
}

void MatElement::fail(const std::string& problem) const {
  const std::string variable = name_.empty() ? "" : fmt::format("variable {}, ", name_);
  data_error(file_.path(), fmt::format("{}element at byte {}: {}", variable, place_, problem));
}

/// Pre: count ≤ file_left_.
void MatElement::read_file(void* to, size_t count) {
  if (file_.read(to, count) < count) {
    fail(fmt::format("the file ends at byte {}; expected {} bytes", file_.position(), end_));
  }
  file_left_ -= static_cast<int64_t>(count);
}

/// Fewer than `count` bytes only where the compressed stream has ended well.
size_t MatElement::decompress(void* to, size_t count) {
  stream_.next_out = static_cast<Bytef*>(to);
  stream_.avail_out = static_cast<uInt>(count);
  while (stream_.avail_out > 0 && !stream_ended_) {
    if (stream_.avail_in == 0 && file_left_ > 0) {
      const auto chunk = std::min<size_t>(input_.size(), static_cast<size_t>(file_left_));
      read_file(input_.data(), chunk);
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<uInt>(chunk);
    }
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      stream_ended_ = true;
    } else if (status == Z_BUF_ERROR) {
      fail(fmt::format("its compressed data end early, after byte {} of its contents", position_));
    } else if (status != Z_OK) {
      fail(fmt::format("corrupt compressed data after byte {} of its contents ({})",
                       position_,
                       stream_.msg != nullptr ? stream_.msg : "zlib cannot go on"));
    }
  }
  return count - stream_.avail_out;
}

}  // namespace apo
