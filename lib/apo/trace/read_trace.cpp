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

}  // namespace

Json read_json(const std::filesystem::path& file) {
  std::ifstream text(file);
  return parsed(text);
}

Json read_trace(const std::filesystem::path& folder) {
  Json trace = read_json(folder / "trace.json");
  if (!trace.empty()) return trace;
  std::ifstream lines(folder / "trace.jsonl");
  return lines ? gather_columns(lines) : Json::object();
}

}  // namespace apo
