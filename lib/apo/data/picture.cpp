#include "apo/data/picture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string_view>
#include <utility>

#include "apo/base/files.h"
#include "apo/data/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = 256 << 20;  // of a file
constexpr int64_t kMostPixels = int64_t{1} << 26;
constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpeg = "\xff\xd8\xff";

/// libpng's own state is gone with its scope.
struct PngImage : png_image {
  explicit PngImage(const std::string& content) : png_image{} {
    version = PNG_IMAGE_VERSION;
    whole = png_image_begin_read_from_memory(this, content.data(), content.size()) != 0;
    flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  }
  ~PngImage() { png_image_free(this); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;

  bool whole = false;
};

struct CloseJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Jpeg = std::unique_ptr<void, CloseJpeg>;

const auto* bytes_of(const std::string& content) {
  return reinterpret_cast<const unsigned char*>(content.data());
}

}  // namespace

PictureFile::PictureFile(fs::path path)
    : path_(std::move(path)), content_(read_file(path_, kMostBytes)) {
  is_png_ = content_.starts_with(kPng);
  if (is_png_) {
    read_png();
  } else if (content_.starts_with(kJpeg)) {
    read_jpeg();
  } else {
    data_error(path_, "is neither PNG nor JPEG");
  }
  if (height_ < 1 || width_ < 1 || height_ * width_ > kMostPixels) {
    data_error(
        path_,
        fmt::format("has {} x {} pixels; accepted: {} at most", height_, width_, kMostPixels));
  }
}

void PictureFile::read_png() {
  const PngImage image(content_);
  if (!image.whole) data_error(path_, fmt::format("damaged PNG: {}", image.message));
  channels_ = (image.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1;
  height_ = image.height;
  width_ = image.width;
}

void PictureFile::read_jpeg() {
  const Jpeg jpeg(tjInitDecompress());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  const int failed = tjDecompressHeader3(
      jpeg.get(), bytes_of(content_), content_.size(), &width, &height, &subsampling, &colours);
  if (failed != 0) data_error(path_, fmt::format("damaged JPEG: {}", tjGetErrorStr2(jpeg.get())));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
    data_error(path_, "is a JPEG for printing (CMYK); accepted: grey, or red, green and blue");
  }
  channels_ = colours == TJCS_GRAY ? 1 : 3;
  height_ = height;
  width_ = width;
}

Tensor PictureFile::decode(int64_t channels) const {
  return is_png_ ? decode_png(channels) : decode_jpeg(channels);
}

Tensor PictureFile::decode(int64_t channels, int64_t height, int64_t width) const {
  const Tensor picture = decode(channels);
  if (height == height_ && width == width_) return picture;
  const Tensor resized = at::_upsample_bilinear2d_aa(
      picture.unsqueeze(0).to(at::kFloat), {height, width}, /*align_corners=*/false);
  return resized[0].round().clamp(0, 255).to(at::kByte);
}

Tensor PictureFile::decode_png(int64_t channels) const {
  PngImage image(content_);
  image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const png_color black = {};
  const Tensor pixels = at::empty({height_, width_, channels}, at::kByte);
  if (png_image_finish_read(&image, &black, pixels.mutable_data_ptr(), 0, nullptr) == 0) {
    data_error(path_, fmt::format("damaged PNG: {}", image.message));
  }
  return pixels.permute({2, 0, 1}).contiguous();
}

Tensor PictureFile::decode_jpeg(int64_t channels) const {
  const Jpeg jpeg(tjInitDecompress());
  const Tensor pixels = at::empty({height_, width_, channels}, at::kByte);
  const int failed = tjDecompress2(jpeg.get(),
                                   bytes_of(content_),
                                   content_.size(),
                                   pixels.mutable_data_ptr<uint8_t>(),
                                   static_cast<int>(width_),
                                   0,
                                   static_cast<int>(height_),
                                   channels == 3 ? TJPF_RGB : TJPF_GRAY,
                                   TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
  if (failed != 0) data_error(path_, fmt::format("damaged JPEG: {}", tjGetErrorStr2(jpeg.get())));
  return pixels.permute({2, 0, 1}).contiguous();
}

bool is_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

}  // namespace apo
