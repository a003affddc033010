// MNIST and Fashion-MNIST: IDX files.
#include <fmt/format.h>

#include <array>

#include "apo/data/files.h"
#include "apo/data/formats.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 28;
constexpr int64_t kClasses = 10;
/// Above every published set in this format (EMNIST has 814,255), and its pictures fit in memory.
constexpr int64_t kMaxCount = 1'000'000;

/// One kind of IDX file: the magic number, the count, then the sizes of an example, all big-endian
/// words of four bytes.
struct IdxKind {
  const char* name;
  uint32_t magic;
  int64_t sizes;
  int64_t row_bytes;

  int64_t header_bytes() const { return 8 + 4 * sizes; }
};
constexpr IdxKind kImages{"images", 0x00000803, 2, kSide* kSide};
constexpr IdxKind kLabels{"labels", 0x00000801, 0, 1};

class IdxFile {
 public:
  IdxFile(const fs::path& path, const IdxKind& kind) : kind_(kind), file_(path) {
    const uint32_t magic = word();
    if (magic != kind.magic) {
      data_error(path,
                 fmt::format("magic {:#010x} at byte 0; expected {:#010x} (IDX {})",
                             magic,
                             kind.magic,
                             kind.name));
    }
    count_ = word();
    if (count_ < 1 || count_ > kMaxCount) {
      data_error(path,
                 fmt::format("count {} at byte 4; expected 1 to {} examples", count_, kMaxCount));
    }
    for (int64_t i = 0; i < kind.sizes; ++i) {
      const int64_t place = file_.position();
      const uint32_t size = word();
      if (size != kSide) {
        data_error(path,
                   fmt::format("picture size {} at byte {}; expected {}", size, place, kSide));
      }
    }
  }

  int64_t count() const { return count_; }
  const fs::path& path() const { return file_.path(); }

  /// The first `examples` rows: uint8 [examples, bytes of a row]. Where these are all, nothing may
  /// follow.
  Tensor read(int64_t examples) {
    Tensor rows = read_rows(file_, kind_.row_bytes, examples);
    if (rows.size(0) < examples) {
      data_error(path(), fmt::format("ends at byte {}; expected {}", file_.position(), length()));
    }
    if (examples == count_ && !file_.at_end()) {
      data_error(path(),
                 fmt::format("goes on after byte {}; expected {}", file_.position() - 1, length()));
    }
    return rows;
  }

 private:
  uint32_t word() {
    std::array<uint8_t, 4> bytes{};
    if (file_.read(bytes.data(), 4) < 4) {
      data_error(path(),
                 fmt::format("ends at byte {}; expected a header of {} bytes (IDX {})",
                             file_.position(),
                             kind_.header_bytes(),
                             kind_.name));
    }
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
  }

  std::string length() const {
    return fmt::format("{} bytes ({} {} after the header of {} bytes)",
                       kind_.header_bytes() + count_ * kind_.row_bytes,
                       count_,
                       kind_.name,
                       kind_.header_bytes());
  }

  const IdxKind& kind_;
  InputFile file_;
  int64_t count_ = 0;
};

std::unique_ptr<Dataset> load(const FileSource& source, const DataRequest& request) {
  const auto paths = find_files(source,
                                request.root,
                                {"train-images-idx3-ubyte",
                                 "train-labels-idx1-ubyte",
                                 "t10k-images-idx3-ubyte",
                                 "t10k-labels-idx1-ubyte"});
  Split train = read_idx(paths[0], paths[1], {"training", request.train_examples});
  return dataset_of_pictures(
      std::move(train), read_idx(paths[2], paths[3], {"test", request.test_examples}), kClasses);
}

}  // namespace

Split read_idx(const fs::path& images_path,
               const fs::path& labels_path,
               const SplitRequest& request) {
  IdxFile images(images_path, kImages);
  IdxFile labels(labels_path, kLabels);
  if (labels.count() != images.count()) {
    data_error(labels_path,
               fmt::format("{} labels at byte 4; expected {}, the number of images in {}",
                           labels.count(),
                           images.count(),
                           images_path.string()));
  }
  const int64_t examples =
      examples_to_read(request.examples, images.count(), images_path, request.kind);
  const Tensor label_bytes = labels.read(examples).select(1, 0);
  check_labels(label_bytes, {0, kClasses - 1}, labels_path, [](int64_t i) {
    return fmt::format("byte {}", kLabels.header_bytes() + i);
  });
  return {images.read(examples).view({examples, 1, kSide, kSide}), label_bytes.to(at::kLong)};
}

std::unique_ptr<Dataset> load_mnist(const NoOptions&, const DataRequest& request) {
  return load({.name = "mnist", .folders = {"mnist", "MNIST/raw"}, .archive = "", .package = ""},
              request);
}

std::unique_ptr<Dataset> load_fashion_mnist(const NoOptions&, const DataRequest& request) {
  return load({.name = "fashion_mnist",
               .folders = {"fashion-mnist", "fashion_mnist", "FashionMNIST/raw"},
               .archive = "",
               .package = "dataset-fashion-mnist"},
              request);
}

}  // namespace apo
