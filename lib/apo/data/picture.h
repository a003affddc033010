// Pictures in PNG and JPEG.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "apo/base/tensors.h"

namespace apo {

/// A file with a picture, whose header has been read. Which format it is in its first bytes say.
/// Errors (data): what is no whole picture of the two formats, and one of more than 2²⁶ pixels.
class PictureFile {
 public:
  explicit PictureFile(std::filesystem::path path);

  int64_t channels() const { return channels_; }  ///< 1: grey, 3: colour
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }

  /// uint8 [channels, height, width], as 1 channel, grey, or 3: red, green, blue. What is
  /// transparent lies on black; 16 bits become 8; what a camera notes of its posture (EXIF) is
  /// passed over.
  Tensor decode(int64_t channels) const;
  /// The same [channels, height, width], resized where it is of another size: bilinear, as
  /// torchvision's Resize with antialias, without regard to its proportions.
  Tensor decode(int64_t channels, int64_t height, int64_t width) const;

 private:
  void read_png();
  void read_jpeg();
  Tensor decode_png(int64_t channels) const;
  Tensor decode_jpeg(int64_t channels) const;

  std::filesystem::path path_;
  std::string content_;
  bool is_png_ = false;
  int64_t channels_ = 0;
  int64_t height_ = 0;
  int64_t width_ = 0;
};

/// By its ending: .png, .jpg or .jpeg.
bool is_picture(const std::filesystem::path& path);

}  // namespace apo
