// SVHN: the cropped digits, two MATLAB files.
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <optional>

#include "apo/data/files.h"
#include "apo/data/formats.h"
#include "apo/data/mat5.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 32;
constexpr int64_t kPictureBytes = 3 * kSide * kSide;
constexpr int64_t kClasses = 10;
/// The largest official file, extra_32x32.mat, holds 531,131.
constexpr int64_t kMaxCount = 600'000;

/// The number of pictures in X.
int64_t checked_count(const MatArray& x, const fs::path& path) {
  std::vector<int64_t> shape = x.shape;
  if (shape.size() == 3) shape.push_back(1);  // MATLAB drops a last dimension of one
  const bool good = x.type == MatType::uint8 && shape.size() == 4 && shape[0] == kSide &&
                    shape[1] == kSide && shape[2] == 3 && shape[3] >= 1 && shape[3] <= kMaxCount;
  if (!good) {
    data_error(path,
               fmt::format("variable X is {}; expected {}x{}x3xN uint8 with N from 1 to {}",
                           x.describe(),
                           kSide,
                           kSide,
                           kMaxCount));
  }
  return shape[3];
}

/// The first `examples` pictures of X. A picture's bytes are its columns, from left to right, of
/// red, then of green, then of blue: [3, width, height] as a tensor's rows run.
Tensor read_pictures(MatFile& file, int64_t examples, int64_t count) {
  const Tensor columns = read_rows(file.elements(), kPictureBytes, examples);
  if (examples == count) file.finish();
  return columns.view({examples, 3, kSide, kSide}).transpose(2, 3).contiguous();
}

at::ScalarType scalar_type(MatType type) {
  switch (type) {
    case MatType::int8:
      return at::kChar;
    case MatType::uint8:
      return at::kByte;
    case MatType::int16:
      return at::kShort;
    case MatType::uint16:
      return at::kUInt16;
    case MatType::int32:
      return at::kInt;
    case MatType::uint32:
      return at::kUInt32;
    case MatType::single:
      return at::kFloat;
    case MatType::real:
      return at::kDouble;
    case MatType::int64:
      return at::kLong;
    case MatType::uint64:
      return at::kUInt64;
  }
  return at::kByte;
}

/// All of y, as it is stored.
Tensor read_labels(MatFile& file, const MatArray& y, const fs::path& path) {
  const int64_t count = y.elements();
  const bool vector = y.shape.size() == 2 && (y.shape[0] == 1 || y.shape[1] == 1);
  if (!vector || count < 1 || count > kMaxCount) {
    data_error(
        path,
        fmt::format("variable y is {}; expected Nx1 with N from 1 to {}", y.describe(), kMaxCount));
  }
  const Tensor bytes = read_rows(file.elements(), y.bytes, 1);
  file.finish();
  return bytes[0].view(scalar_type(y.type)).to(at::kDouble);
}

[[noreturn]] void lacks(const fs::path& path, const char* name) {
  data_error(
      path,
      fmt::format("no real numeric variable {}; expected X (32x32x3xN uint8) and y (Nx1)", name));
}

}  // namespace

Split read_svhn(const fs::path& path, const SplitRequest& request) {
  MatFile file(path);
  std::optional<int64_t> count;
  Tensor images;
  Tensor labels;
  while (const auto array = file.next()) {
    if (array->name == "X") {
      count = checked_count(*array, path);
      images = read_pictures(
          file, examples_to_read(request.examples, *count, path, request.kind), *count);
    } else if (array->name == "y") {
      labels = read_labels(file, *array, path);
    }
  }
  if (!count) lacks(path, "X");
  if (!labels.defined()) lacks(path, "y");
  if (labels.size(0) != *count) {
    data_error(path,
               fmt::format("variable y holds {} labels; expected {}, the number of pictures in X",
                           labels.size(0),
                           *count));
  }
  check_labels(labels, {1, kClasses}, path, [](int64_t i) { return fmt::format("y({})", i + 1); });
  const Tensor digits = labels.narrow(0, 0, images.size(0)).to(at::kLong);
  return {images, digits.remainder(kClasses)};
}

std::unique_ptr<Dataset> load_svhn(const NoOptions&, const DataRequest& request) {
  const auto paths =
      find_files({.name = "svhn", .folders = {"svhn", "SVHN"}, .archive = "", .package = ""},
                 request.root,
                 {"train_32x32.mat", "test_32x32.mat"});
  Split train = read_svhn(paths[0], {"training", request.train_examples});
  return dataset_of_pictures(
      std::move(train), read_svhn(paths[1], {"test", request.test_examples}), kClasses);
}

}  // namespace apo
