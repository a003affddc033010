#include "apo/checkpoint/checkpoint.h"

#include <ATen/ops/empty_strided.h>
#include <c10/util/strides.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/safetensors.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "apo-checkpoint";
constexpr int64_t kMostJsonBytes = int64_t{1} << 28;
constexpr int64_t kMostTensorBytes = int64_t{1} << 40;

/// Numbers that JSON has no word for are objects that hold the word.
Json to_json(const std::variant<int64_t, double, std::string>& value) {
  if (const double* real = std::get_if<double>(&value)) {
    if (!std::isfinite(*real)) return {{"real", fmt::format("{}", *real)}};
    return *real;
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  return std::get<std::string>(value);
}

std::variant<int64_t, double, std::string> from_json(const Json& json) {
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_string()) return json.get<std::string>();
  const std::string word = json.is_object() ? json.value("real", "") : "";
  if (word == "inf") return std::numeric_limits<double>::infinity();
  if (word == "-inf") return -std::numeric_limits<double>::infinity();
  return std::nan("");
}

/// The strides of the tensors that do not have just those of rows: products and convolutions of
/// other strides may choose another kernel, and round differently. Those of axes of one element
/// count, too, though such a tensor says that it is contiguous: they tell LibTorch whether filters
/// lie channels last.
Json strides_of(const State& state) {
  Json strides = Json::object();
  for (const auto& [name, tensor] : state.tensors) {
    if (tensor.strides() != c10::contiguous_strides(tensor.sizes()))
      strides[name] = tensor.strides().vec();
  }
  return strides;
}

/// Strides that address each element of a tensor's own memory once: sorted, they are the products
/// of the sizes below. An axis of one element is never stepped along.
bool are_dense(const std::vector<int64_t>& strides, at::IntArrayRef sizes) {
  if (strides.size() != sizes.size()) return false;
  std::vector<std::pair<int64_t, int64_t>> axes;
  for (size_t i = 0; i < strides.size(); ++i) {
    if (strides[i] < 0) return false;
    if (sizes[i] > 1) axes.emplace_back(strides[i], sizes[i]);
  }
  std::sort(axes.begin(), axes.end());
  int64_t expected = 1;
  for (const auto& [stride, size] : axes) {
    if (stride != expected) return false;
    expected *= size;
  }
  return true;
}

Tensor with_strides(const Tensor& rows, const std::vector<int64_t>& strides) {
  Tensor tensor = at::empty_strided(rows.sizes(), strides, rows.options());
  tensor.copy_(rows);
  return tensor;
}

/// The JSON of a checkpoint without its checksum.
Json body_of(const Checkpoint& checkpoint, const std::string& file, const AtomicFile& tensors) {
  Json values = Json::object();
  for (const auto& [name, value] : checkpoint.state.values) values[name] = to_json(value);
  return {{"step", checkpoint.step},
          {"best", checkpoint.best},
          {"scheduled", checkpoint.scheduled},
          {"tensors", {{"file", file}, {"bytes", tensors.bytes()}, {"crc32", tensors.checksum()}}},
          {"strides", strides_of(checkpoint.state)},
          {"values", values},
          {"config", checkpoint.config}};
}

/// The body, after the checks that need no other file.
Json read_body(const fs::path& path) {
  const auto fail = [&path](const std::string& what) {
    return Error(ErrorKind::data, path.string() + ": " + what);
  };
  const Json json =
      Json::parse(read_file(path, kMostJsonBytes), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    throw fail("is damaged: no checkpoint of apo-train");
  }
  const Json version = json.value("version", Json());
  if (version != kCheckpointVersion) {
    throw fail(fmt::format("is of version {}; accepted: {}", version.dump(), kCheckpointVersion));
  }
  Json body = json.value("body", Json());
  if (json.value("crc32", Json()) != checksum_of(body.dump())) {
    throw fail("is damaged: its checksum is wrong");
  }
  return body;
}

State read_state(const Json& body, const fs::path& folder) {
  const fs::path file =
      folder / fs::path(body.at("tensors").at("file").get<std::string>()).filename();
  const std::string content = read_file(file, kMostTensorBytes);
  if (static_cast<int64_t>(content.size()) != body.at("tensors").at("bytes").get<int64_t>() ||
      checksum_of(content) != body.at("tensors").at("crc32").get<uint32_t>()) {
    throw Error(ErrorKind::data, file.string() + ": is damaged: its length or checksum is wrong");
  }
  State state{.tensors = parse_safetensors(content, file.string()), .values = {}};
  for (const auto& [name, strides] : body.at("strides").items()) {
    const auto found = state.tensors.find(name);
    const auto wanted = strides.get<std::vector<int64_t>>();
    if (found == state.tensors.end() || !are_dense(wanted, found->second.sizes())) {
      throw Error(ErrorKind::data,
                  file.string() + ": has no tensor '" + name + "' of these strides");
    }
    found->second = with_strides(found->second, wanted);
  }
  for (const auto& [name, value] : body.at("values").items()) state.values[name] = from_json(value);
  return state;
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  return fmt::format("{}{:09}", kCheckpointPrefix, step);
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const std::string name = checkpoint_name(checkpoint.step);
  AtomicFile tensors(folder / (name + ".safetensors"));
  write_safetensors(checkpoint.state.tensors, tensors);
  tensors.commit();
  const Json body = body_of(checkpoint, name + ".safetensors", tensors);
  const Json json = {{"format", kFormat},
                     {"version", kCheckpointVersion},
                     {"crc32", checksum_of(body.dump())},
                     {"body", body}};
  write_file(folder / (name + ".json"), json.dump(1) + "\n");
}

Checkpoint read_checkpoint(const fs::path& path) {
  const Json body = read_body(path);
  try {
    return {.step = body.at("step").get<int64_t>(),
            .best = body.at("best").get<bool>(),
            .scheduled = body.at("scheduled").get<bool>(),
            .config = body.at("config"),
            .state = read_state(body, path.parent_path())};
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, path.string() + ": is damaged: " + error.what());
  }
}

}  // namespace apo
