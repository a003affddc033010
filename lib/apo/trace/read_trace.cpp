#include "apo/trace/read_trace.h"

#include <fstream>

#include "apo/trace/columns.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(std::istream& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

bool shows_anything(const Json& trace) {
  const auto has = [&](const char* pointer) {
    const Json::json_pointer path(pointer);
    return trace.contains(path) && trace.at(path).is_array() && !trace.at(path).empty();
  };
  return has("/steps/step") || has("/epochs/step");
}

}  // namespace

Json read_json(const std::filesystem::path& file) {
  std::ifstream text(file);
  return parsed(text);
}

Json read_trace(const std::filesystem::path& folder) {
  Json trace = read_json(folder / "trace.json");
  if (shows_anything(trace)) return trace;
  std::ifstream lines(folder / "trace.jsonl");
  return lines ? gather_columns(lines) : Json::object();
}

bool holds_trace(const std::filesystem::path& folder) {
  return shows_anything(read_trace(folder));
}

}  // namespace apo
