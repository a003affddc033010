// CIFAR-10 and CIFAR-100: the binary versions.
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "apo/data/files.h"
#include "apo/data/formats.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 32;
constexpr int64_t kPixelBytes = 3 * kSide * kSide;
/// The largest official file, CIFAR-100's train.bin, holds as many.
constexpr int64_t kMaxRecords = 50'000;

/// The first `asked` examples (0: all) over the files; no file is read that these do not need.
Split read_split(const std::vector<fs::path>& paths,
                 const CifarFormat& format,
                 int64_t asked,
                 const std::string& kind) {
  const int64_t limit = asked > 0 ? asked : std::numeric_limits<int64_t>::max();
  TensorList images;
  TensorList labels;
  int64_t examples = 0;
  for (const fs::path& path : paths) {
    if (examples == limit) break;
    const Split part = read_cifar(path, format, limit - examples);
    examples += part.targets.size(0);
    images.push_back(part.inputs);
    labels.push_back(part.targets);
  }
  examples_to_read(asked, examples, paths.front().parent_path(), kind);
  if (images.size() == 1) return {images[0], labels[0]};
  return {at::cat(images), at::cat(labels)};
}

std::unique_ptr<Dataset> load(const FileSource& source,
                              const CifarFormat& format,
                              const std::vector<std::string>& train_names,
                              const std::string& test_name,
                              const DataRequest& request) {
  std::vector<std::string> names = train_names;
  names.push_back(test_name);
  std::vector<fs::path> paths = find_files(source, request.root, names);
  const fs::path test_path = paths.back();
  paths.pop_back();

  Split train = read_split(paths, format, request.train_examples, "training");
  return dataset_of_pictures(std::move(train),
                             read_split({test_path}, format, request.test_examples, "test"),
                             format.classes);
}

}  // namespace

Split read_cifar(const fs::path& path, const CifarFormat& format, int64_t limit) {
  const int64_t record_bytes = format.label_bytes + kPixelBytes;
  InputFile file(path);
  const Tensor records = read_rows(file, record_bytes, std::min(limit, kMaxRecords));
  const int64_t count = records.size(0);
  if (file.position() != count * record_bytes) {
    data_error(path,
               fmt::format("ends at byte {} within record {}; expected whole records of {} bytes",
                           file.position(),
                           count,
                           record_bytes));
  }
  if (count == 0) {
    data_error(path, fmt::format("is empty; expected records of {} bytes", record_bytes));
  }
  if (count < limit && !file.at_end()) {
    data_error(path,
               fmt::format("goes on after byte {}; expected at most {} records of {} bytes",
                           file.position() - 1,
                           kMaxRecords,
                           record_bytes));
  }
  const int64_t label_byte = format.label_bytes - 1;
  const Tensor labels = records.select(1, label_byte);
  check_labels(labels, {0, format.classes - 1}, path, [&](int64_t i) {
    return fmt::format("byte {} (record {})", i * record_bytes + label_byte, i);
  });
  const Tensor pixels = records.narrow(1, format.label_bytes, kPixelBytes);
  return {pixels.reshape({count, 3, kSide, kSide}), labels.to(at::kLong)};
}

std::unique_ptr<Dataset> load_cifar10(const NoOptions&, const DataRequest& request) {
  return load({.name = "cifar10",
               .folders = {"cifar-10-batches-bin", "cifar10"},
               .archive = "cifar-10-binary.tar.gz",
               .package = ""},
              kCifar10,
              {"data_batch_1.bin",
               "data_batch_2.bin",
               "data_batch_3.bin",
               "data_batch_4.bin",
               "data_batch_5.bin"},
              "test_batch.bin",
              request);
}

std::unique_ptr<Dataset> load_cifar100(const NoOptions&, const DataRequest& request) {
  return load({.name = "cifar100",
               .folders = {"cifar-100-binary", "cifar100"},
               .archive = "cifar-100-binary.tar.gz",
               .package = ""},
              kCifar100,
              {"train.bin"},
              "test.bin",
              request);
}

}  // namespace apo
