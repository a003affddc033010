#include "apo/base/safetensors.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kLongestHeader = 100'000'000;  // as in the reference implementation

constexpr std::array<std::pair<at::ScalarType, const char*>, 13> kTypes = {{
    {at::kDouble, "F64"},
    {at::kFloat, "F32"},
    {at::kHalf, "F16"},
    {at::kBFloat16, "BF16"},
    {at::kLong, "I64"},
    {at::kInt, "I32"},
    {at::kShort, "I16"},
    {at::kChar, "I8"},
    {at::kUInt64, "U64"},
    {at::kUInt32, "U32"},
    {at::kUInt16, "U16"},
    {at::kByte, "U8"},
    {at::kBool, "BOOL"},
}};

const char* name_of(at::ScalarType type) {
  for (const auto& [known, name] : kTypes) {
    if (known == type) return name;
  }
  throw std::logic_error("no safetensors type for this tensor");
}

std::optional<at::ScalarType> type_of(const std::string& name) {
  for (const auto& [type, known] : kTypes) {
    if (known == name) return type;
  }
  return std::nullopt;
}

/// What is wrong with a type that there is no tensor of; "" where that is not the fault.
std::string problem_of_type(const Json& json) {
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string()) return "";
  const auto name = json["dtype"].get<std::string>();
  if (type_of(name)) return "";
  std::string accepted;
  for (const auto& [type, known] : kTypes) {
    accepted += fmt::format("{}{}", accepted.empty() ? "" : ", ", known);
  }
  return fmt::format("is of the type {}; accepted: {}", name.substr(0, 20), accepted);
}

/// Where an entry's values are, checked: within the data, and as long as its shape says.
struct Entry {
  at::ScalarType type;
  std::vector<int64_t> shape;
  uint64_t begin;
  uint64_t bytes;
};

/// A product that says when it is larger than any file.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, at::ScalarType type) {
  uint64_t bytes = c10::elementSize(type);
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  }
  return bytes;
}

std::optional<Entry> read_entry(const Json& json, uint64_t data_bytes) {
  const auto unsigned_list = [&](const char* key) -> std::optional<std::vector<int64_t>> {
    const auto list = json.find(key);
    if (list == json.end() || !list->is_array()) return std::nullopt;
    std::vector<int64_t> numbers;
    for (const Json& number : *list) {
      if (!number.is_number_unsigned() || number.get<uint64_t>() > INT64_MAX) return std::nullopt;
      numbers.push_back(number.get<int64_t>());
    }
    return numbers;
  };
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string()) {
    return std::nullopt;
  }
  const auto type = type_of(json["dtype"].get<std::string>());
  const auto shape = unsigned_list("shape");
  const auto offsets = unsigned_list("data_offsets");
  if (!type || !shape || !offsets || offsets->size() != 2) return std::nullopt;
  const auto begin = static_cast<uint64_t>((*offsets)[0]);
  const auto end = static_cast<uint64_t>((*offsets)[1]);
  const std::optional<uint64_t> bytes = bytes_of(*shape, *type);
  if (!bytes || begin > end || end > data_bytes || end - begin != *bytes) return std::nullopt;
  return Entry{*type, *shape, begin, *bytes};
}

/// Puts the bytes [begin, begin + bytes) of a file at `to`.
using ReadAt = std::function<void(uint64_t begin, void* to, size_t bytes)>;
/// The tensor whose values are at `begin`.
using TensorAt = std::function<Tensor(const Entry& entry, uint64_t begin)>;

/// Its values are copied.
TensorAt copy_by(const ReadAt& read_at) {
  return [read_at](const Entry& entry, uint64_t begin) {
    Tensor tensor = at::empty(entry.shape, entry.type);
    if (tensor.nbytes() > 0) read_at(begin, tensor.mutable_data_ptr(), tensor.nbytes());
    return tensor;
  };
}

ReadAt read_from(const char* bytes) {
  return [bytes](uint64_t begin, void* to, size_t count) { std::memcpy(to, bytes + begin, count); };
}

/// The tensors of a file of `size` bytes.
std::map<std::string, Tensor> read_tensors(uint64_t size,
                                           const std::string& place,
                                           const ReadAt& read_at,
                                           const TensorAt& tensor_at) {
  const auto fail = [&place](const std::string& what) {
    return Error(ErrorKind::data, place + ": " + what);
  };
  uint64_t length = 0;
  if (size < kLengthBytes) throw fail("is too short for a safetensors file");
  read_at(0, &length, kLengthBytes);
  if (length > kLongestHeader || length > size - kLengthBytes) {
    throw fail(fmt::format("its header has {} bytes; the file has {}", length, size));
  }
  std::string text(length, ' ');
  if (length > 0) read_at(kLengthBytes, text.data(), length);
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) throw fail("its header is no JSON object");
  const uint64_t data_begin = kLengthBytes + length;
  const uint64_t data_bytes = size - data_begin;

  std::map<std::string, Tensor> tensors;
  uint64_t total = 0;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") continue;
    const std::optional<Entry> entry = read_entry(json, data_bytes);
    if (!entry) {
      const std::string problem = problem_of_type(json);
      const std::string tensor = name.substr(0, 100);
      throw fail(problem.empty() ? fmt::format("its header misdescribes the tensor '{}'", tensor)
                                 : fmt::format("the tensor '{}' {}", tensor, problem));
    }
    total += entry->bytes;
    if (total > data_bytes) throw fail("its tensors overlap");
    tensors[name] = tensor_at(*entry, data_begin + entry->begin);
  }
  return tensors;
}

}  // namespace

void write_safetensors(const std::map<std::string, Tensor>& tensors,
                       AtomicFile& file,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", name_of(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');  // aligns
  const uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor rows = tensor.contiguous();
    if (rows.nbytes() > 0) file.write(rows.const_data_ptr(), rows.nbytes());
  }
}

std::map<std::string, Tensor> parse_safetensors(const std::string& content,
                                                const std::string& place) {
  const ReadAt read_at = read_from(content.data());
  return read_tensors(content.size(), place, read_at, copy_by(read_at));
}

std::map<std::string, Tensor> map_safetensors(const std::shared_ptr<const MappedFile>& file) {
  return read_tensors(file->size(),
                      file->path().string(),
                      read_from(file->bytes()),
                      [&](const Entry& entry, uint64_t begin) {
                        return tensor_in(file, begin, entry.shape, entry.type);
                      });
}

std::map<std::string, Tensor> read_safetensors(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& why) {
    return Error(ErrorKind::data, path.string() + ": cannot be read: " + why);
  };
  require_regular(path);
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) throw fail(failure.message());
  std::ifstream file(path, std::ios::binary);
  const ReadAt read_at = [&](uint64_t begin, void* to, size_t bytes) {
    file.seekg(static_cast<std::streamoff>(begin));
    file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (!file) throw fail(std::strerror(errno));
  };
  return read_tensors(size, path.string(), read_at, copy_by(read_at));
}

}  // namespace apo
