#include "apo/trace/settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

void flatten(const std::string& key, const Json& value, Json& flat) {
  if (!value.is_object()) {
    flat[key] = value.is_string() ? value : Json(value.dump());
    return;
  }
  for (const auto& [name, below] : value.items()) {
    if (key.empty() && name == "name") continue;
    flatten(key.empty() ? name : fmt::format("{}.{}", key, name), below, flat);
  }
}

}  // namespace

Json compared_settings(const std::vector<Json>& configs) {
  std::vector<Json> flat(configs.size(), Json::object());
  for (size_t i = 0; i < configs.size(); ++i) {
    if (configs[i].is_object()) flatten("", configs[i], flat[i]);
  }
  const auto known = std::find_if(
      flat.begin(), flat.end(), [](const Json& settings) { return !settings.empty(); });
  Json shared = Json::object();
  const Json first = known == flat.end() ? Json::object() : *known;
  for (const auto& [key, value] : first.items()) {
    const std::string& name = key;
    const Json& text = value;
    const bool agreed = std::all_of(flat.begin(), flat.end(), [&](const Json& settings) {
      return settings.empty() || settings.value(name, Json()) == text;
    });
    if (agreed) shared[name] = text;
  }
  for (Json& settings : flat) {
    for (const auto& [key, value] : shared.items()) settings.erase(key);
  }
  return {{"shared", shared}, {"runs", flat}};
}

}  // namespace apo
