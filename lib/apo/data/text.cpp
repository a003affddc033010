// A text of one's own for a model of language: each byte is told from those before it.
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>

#include "apo/config/characters.h"
#include "apo/data/files.h"
#include "apo/data/formats.h"
#include "apo/data/own.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{4} << 30;
constexpr int64_t kBytes = 256;

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

Dataset read_text(const fs::path& path, const TextOptions& options) {
  InputFile file(path);
  const Tensor text = read_rows(file, 1, kMostBytes + 1).squeeze(1);
  const int64_t bytes = text.size(0);
  if (bytes > kMostBytes) data_error(path, "has more than 4 GiB");
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
  if (has_test) dataset.test = sequences(text.narrow(0, bytes - testing, testing), options.length);
  return dataset;
}

void TextOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor, "path", path, "the text, plain or .gz");
  visitor.require(!path.empty(), "path", "must name a file");
  visitor.integer("length", length, Range::between(1, 1e6), "bytes of an example");
  visitor.real(
      "test_share", test_share, Range::half_open(0, 1), "of the text, from its end, the test set");
}

std::unique_ptr<Dataset> load_text(const TextOptions& options, const DataRequest& request) {
  const fs::path path = file_at(options.path);
  return as_requested(read_text(path, options), request, path);
}

}  // namespace apo
