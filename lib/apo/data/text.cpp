// A text of one's own for a model of language: each byte is told from those before it.
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <memory>

#include "apo/config/characters.h"
#include "apo/data/files.h"
#include "apo/data/formats.h"
#include "apo/data/own.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{4} << 30;
constexpr int64_t kBytes = 256;

bool is_gzip(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return file.get() == 0x1f && file.get() == 0x8b;
}

Tensor whole_text(const fs::path& path) {
  InputFile file(path);
  Tensor text = read_rows(file, 1, kMostBytes + 1).squeeze(1);
  if (text.size(0) > kMostBytes) {
    data_error(path, "has more than 4 GiB; dataset.mapped: always takes a plain text of any size");
  }
  return text;
}

Tensor mapped_text(const std::shared_ptr<const MappedFile>& file) {
  if (is_gzip(file->path())) {
    data_error(file->path(), "is compressed; expected a plain text where dataset.mapped is always");
  }
  return tensor_in(file, 0, {static_cast<int64_t>(file->size())}, at::kByte);
}

/// Sequences of `length` bytes, one after the other, and for each byte the next: two views of the
/// same memory. What is left at the end is no whole sequence.
Split sequences(const Tensor& text, int64_t length) {
  const int64_t count = (text.size(0) - 1) / length;
  const auto from = [&](int64_t begin) {
    return text.narrow(0, begin, count * length).view({count, length});
  };
  return {from(0), from(1)};
}

}  // namespace

Dataset read_text(const fs::path& path, const TextOptions& options, bool mapped) {
  const auto file = mapped ? std::make_shared<const MappedFile>(path) : nullptr;
  const Tensor text = mapped ? mapped_text(file) : whole_text(path);
  const int64_t bytes = text.size(0);
  const auto testing = std::llround(options.test_share * static_cast<double>(bytes));
  const int64_t needed = options.length + 1;
  const bool has_test = options.test_share > 0;
  if (bytes - testing < needed || (has_test && testing < needed)) {
    data_error(path,
               fmt::format("{} bytes, of them {} for the test; expected {} or more of each, "
                           "dataset.length and the byte behind it",
                           bytes,
                           testing,
                           needed));
  }
  Dataset dataset;
  dataset.classes = kBytes;
  dataset.train = sequences(text.narrow(0, 0, bytes - testing), options.length);
  dataset.train.file = file;
  if (has_test) {
    dataset.test = sequences(text.narrow(0, bytes - testing, testing), options.length);
    dataset.test.file = file;
  }
  return dataset;
}

void TextOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor, "path", path, "the text, plain or .gz");
  visitor.require(!path.empty(), "path", "must name a file");
  visitor.integer("length", length, Range::between(1, 1e6), "bytes of an example");
  visitor.real(
      "test_share", test_share, Range::half_open(0, 1), "of the text, from its end, the test set");
  visit_mapping(visitor, mapped);
}

std::unique_ptr<Dataset> load_text(const TextOptions& options, const DataRequest& request) {
  const fs::path path = file_at(options.path);
  const bool mapped = is_mapped(options.mapped, path, request) &&
                      (options.mapped == Mapping::always || !is_gzip(path));
  return as_requested(read_text(path, options, mapped), request, path);
}

}  // namespace apo
