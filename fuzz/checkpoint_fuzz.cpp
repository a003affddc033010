// Checkpoints: two bytes for the size of the JSON body, that body, the safetensors file. The
// checksums are made right, for no mutation would come past them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "apo/base/files.h"
#include "apo/base/safetensors.h"
#include "apo/checkpoint/checkpoint.h"
#include "finding.h"

namespace {

using Json = nlohmann::ordered_json;

/// A folder in memory for the whole process.
const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    std::string name = "/dev/shm/apo-fuzz-XXXXXX";
    apo::fuzz::require(mkdtemp(name.data()) != nullptr, "there is memory for a folder");
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return name;
  }();
  return path;
}

void write(const std::string& name, const std::string& content) {
  std::ofstream(folder() / name, std::ios::binary) << content;
}

/// The file around a body, with what it must say right of the tensors and of itself.
std::string checkpoint_json(const std::string& text, const std::string& tensors) {
  Json body = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded()) return text;
  if (body.is_object() && body.contains("tensors")) {
    body["tensors"] = {
        {"file", "x.safetensors"}, {"bytes", tensors.size()}, {"crc32", apo::checksum_of(tensors)}};
  }
  const std::string dumped = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json({{"format", "apo-checkpoint"},
               {"version", apo::kCheckpointVersion},
               {"crc32", apo::checksum_of(dumped)},
               {"body", Json::parse(dumped)}})
      .dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t body_bytes = std::min<size_t>(data[0] | data[1] << 8, size - 2);
  const char* text = reinterpret_cast<const char*>(data) + 2;
  const std::string body(text, body_bytes);
  const std::string tensors(text + body_bytes, size - 2 - body_bytes);
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] { apo::parse_safetensors(tensors, "fuzz"); });
  write("x.safetensors", tensors);
  write("x.json", checkpoint_json(body, tensors));
  apo::fuzz::read_or_refuse(apo::ErrorKind::data,
                            [&] { apo::read_checkpoint(folder() / "x.json"); });
  return 0;
}
