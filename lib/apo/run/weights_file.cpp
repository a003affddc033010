#include "apo/run/weights_file.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/safetensors.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostBytes = int64_t{1} << 40;

/// The texts of the header. Pre: parse_safetensors takes the content.
std::map<std::string, std::string> metadata_of(const std::string& content) {
  uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  const char* text = content.data() + sizeof length;
  const Json header = Json::parse(text, text + length);
  std::map<std::string, std::string> texts;
  const auto metadata = header.find("__metadata__");
  if (metadata == header.end() || !metadata->is_object()) return texts;
  for (const auto& [key, value] : metadata->items()) {
    if (value.is_string()) texts[key] = value.get<std::string>();
  }
  return texts;
}

}  // namespace

WeightsFile parse_weights(const std::string& content, const std::filesystem::path& path) {
  const std::string place = path.string();
  if (content.starts_with("PK") || content.starts_with("\x80\x02")) {
    throw Error(ErrorKind::data,
                place +
                    ": is of torch.save; accepted: a safetensors file, which "
                    "safetensors.torch.save_file(model.state_dict(), FILE) writes");
  }
  std::map<std::string, Tensor> tensors = parse_safetensors(content, place);
  return {.path = path,
          .tensors = std::move(tensors),
          .metadata = metadata_of(content),
          .checksum = checksum_of(content)};
}

WeightsFile read_weights(const std::filesystem::path& path) {
  return parse_weights(read_file(path, kMostBytes), path);
}

}  // namespace apo
