#include "apo/trace/read_trace.h"

#include <fstream>
#include <string>

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(std::istream& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

/// Appends the record to its columns.
void append(const Json& line, Json& columns) {
  for (const auto& [key, value] : line.items()) {
    if (key != "type") columns[key].push_back(value);
  }
}

void append_meta(const Json& line, Json& hyperparameters) {
  const Json values = line.value("hyperparameters", Json::object());
  for (const auto& [name, value] : values.items()) {
    hyperparameters[name]["step"].push_back(line.value("step", 0));
    hyperparameters[name]["value"].push_back(value);
  }
}

Json gather_lines(std::istream& lines) {
  Json trace = Json::object();
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;  // torn by a crash
    const std::string type = line.value("type", "");
    if (type == "header") trace["name"] = line.value("name", "");
    if (type == "step") append(line, trace["steps"]);
    if (type == "epoch") append(line, trace["epochs"]);
    if (type == "meta") append_meta(line, trace["hyperparameters"]);
  }
  return trace;
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
  return gather_lines(lines);
}

}  // namespace apo
