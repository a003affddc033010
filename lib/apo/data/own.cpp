#include "apo/data/own.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "apo/data/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockValues = 1 << 22;

fs::path absolute_of(const std::string& path) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(path, failure);
  return failure ? fs::path(path) : absolute.lexically_normal();
}

/// "[3, 1]", of value `flat` of `shape` in rows.
std::string index_of(int64_t flat, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return fmt::format("[{}]", fmt::join(index, ", "));
}

}  // namespace

fs::path file_at(const std::string& path) {
  std::error_code ignored;
  const fs::path absolute = absolute_of(path);
  if (fs::is_regular_file(absolute, ignored)) return path;
  data_error(absolute, fs::exists(absolute, ignored) ? "is no file" : "no such file");
}

fs::path folder_at(const std::string& path) {
  std::error_code ignored;
  const fs::path absolute = absolute_of(path);
  if (fs::is_directory(absolute, ignored)) return path;
  data_error(absolute, fs::exists(absolute, ignored) ? "is no folder" : "no such folder");
}

void visit_mapping(OptionVisitor& visitor, Mapping& mapping) {
  visitor.one_of(
      "mapped",
      mapping,
      {{"auto", Mapping::automatic}, {"always", Mapping::always}, {"never", Mapping::never}},
      "batches are read from the file, ahead of the steps, for sets larger than memory; auto: of "
      "files of more than a quarter of the memory");
}

bool is_mapped(Mapping mapping, const fs::path& path, const DataRequest& request) {
  if (mapping != Mapping::automatic) return mapping == Mapping::always;
  std::error_code failure;
  const uintmax_t bytes = fs::file_size(path, failure);
  if (failure) data_error(path, "cannot be read: " + failure.message());
  return std::cmp_greater(bytes, request.most_bytes_in_memory);
}

void require_values(const Tensor& values,
                    const std::string& name,
                    const fs::path& path,
                    const std::string& expected,
                    const std::function<Tensor(const Tensor& block)>& good) {
  const int64_t count = values.size(0);
  const int64_t row = values.numel() / std::max<int64_t>(1, count);
  const int64_t rows = std::max<int64_t>(1, kBlockValues / std::max<int64_t>(1, row));
  for (int64_t begin = 0; begin < count; begin += rows) {
    const Tensor block = values.narrow(0, begin, std::min(rows, count - begin));
    const Tensor right = good(block);
    if (right.all().item<bool>()) continue;
    const auto first = right.logical_not().flatten().nonzero()[0].item<int64_t>();
    data_error(path,
               fmt::format("{}{} = {:g}; expected {}",
                           name,
                           index_of(begin * row + first, values.sizes()),
                           block.flatten()[first].item<double>(),
                           expected));
  }
}

void require_finite(const Tensor& values, const std::string& name, const fs::path& path) {
  if (!values.is_floating_point()) return;
  require_values(values, name, path, "finite numbers", [](const Tensor& block) {
    return at::isfinite(block);
  });
}

Split first_examples(const Split& part,
                     int64_t asked,
                     const fs::path& path,
                     const std::string& kind) {
  const int64_t count = examples_to_read(asked, part.size(), path, kind);
  return part.mapped([&](const Tensor& t) { return t.narrow(0, 0, count); });
}

std::unique_ptr<Dataset> as_requested(Dataset whole,
                                      const DataRequest& request,
                                      const fs::path& path) {
  whole.train = first_examples(whole.train, request.train_examples, path, "training");
  whole.test = first_examples(whole.test, request.test_examples, path, "test");
  const Tensor& inputs = whole.train.inputs;
  if (inputs.scalar_type() == at::kByte && inputs.dim() == 4) {
    whole.normalisation = channel_statistics(inputs);
  }
  return std::make_unique<Dataset>(std::move(whole));
}

}  // namespace apo
