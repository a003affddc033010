#include "apo/config/writer.h"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "apo/base/registry.h"
#include "apo/config/scalar.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

class JsonVisitor : public OptionVisitor {
 public:
  explicit JsonVisitor(Json& json) : json_(json) {}

  void real(const char* key, double& value, const Range&, const char*) override {
    json_[key] = value;
  }
  void real_or_auto(const char* key,
                    std::optional<double>& value,
                    const Range&,
                    const char*) override {
    json_[key] = value ? Json(*value) : Json("auto");
  }
  void integer(const char* key, int64_t& value, const Range&, const char*) override {
    json_[key] = value;
  }
  void flag(const char* key, bool& value, const char*) override { json_[key] = value; }
  void word(const char* key,
            std::string& value,
            const std::vector<std::string>&,
            const char*) override {
    json_[key] = value;
  }
  void words(const char* key,
             std::vector<std::string>& value,
             const std::vector<std::string>&,
             const char*) override {
    json_[key] = value;
  }
  void integers(const char* key, std::vector<int64_t>& value, const Range&, const char*) override {
    json_[key] = value;
  }
  void reals(const char* key, std::vector<double>& value, const Range&, const char*) override {
    json_[key] = value;
  }
  void interval(const char* key, std::optional<Range>& value, const Range&, const char*) override {
    if (value) json_[key] = {value->lower, value->upper};
  }
  void section(const char* key,
               const char*,
               const std::function<void(OptionVisitor&)>& fields) override {
    json_[key] = to_json(fields);
  }
  void choice(Choice& choice, const char*) override {
    json_["name"] = choice.name();
    choice.visit(*this);
  }
  void choices(const char* key, ChoiceList& list, const char*) override {
    Json& items = json_[key] = Json::array();
    for (size_t i = 0; i < list.size(); ++i) {
      items.push_back(to_json([&](OptionVisitor& item) { item.choice(list.at(i), ""); }));
    }
  }
  void require(bool, const char*, const std::string&) override {}

 private:
  Json& json_;
};

/// A number that YAML 1.1 readers take for one too: they want the point in 1.0e-05.
std::string yaml_number(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  std::string text = fmt::format("{}", value);
  if (text.find('.') != std::string::npos) return text;
  const size_t end = std::min(text.find('e'), text.size());  // of the digits
  return text.substr(0, end) + ".0" + text.substr(end);
}

/// Strings that no YAML reader takes for anything else, in any place.
bool is_safe_unquoted(const std::string& text) {
  const auto harmless = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_./+-").find(c) != std::string_view::npos;
  };
  return !looks_like_no_string(text) && std::all_of(text.begin(), text.end(), harmless) &&
         std::string_view("+-.").find(text.front()) == std::string_view::npos;
}

/// Scalars only, and few enough for a line.
bool fits_a_line(const Json& list) {
  constexpr size_t kLength = 80;
  const auto structured = [](const Json& item) { return item.is_structured(); };
  return std::none_of(list.begin(), list.end(), structured) && list.dump().size() <= kLength;
}

void emit(YAML::Emitter& out, const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      if (json.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [key, value] : json.items()) {
        out << YAML::Key;
        emit(out, key);
        out << YAML::Value;
        emit(out, value);
      }
      out << YAML::EndMap;
      break;
    case Json::value_t::array:
      if (fits_a_line(json)) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Json& item : json) emit(out, item);
      out << YAML::EndSeq;
      break;
    case Json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      if (!is_safe_unquoted(text)) out << YAML::DoubleQuoted;
      out << text;
      break;
    }
    case Json::value_t::number_float:
      out << yaml_number(json.get<double>());
      break;
    case Json::value_t::null:
      out << YAML::Null;
      break;
    default:
      out << json.dump();
  }
}

}  // namespace

Json to_json(const std::function<void(OptionVisitor&)>& fields) {
  Json json = Json::object();
  JsonVisitor visitor(json);
  fields(visitor);
  return json;
}

Json to_json(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return nullptr;
    case ConfigNode::Kind::sequence: {
      Json json = Json::array();
      for (const ConfigNode& item : node.items) json.push_back(to_json(item));
      return json;
    }
    case ConfigNode::Kind::mapping: {
      Json json = Json::object();
      for (const auto& entry : node.entries) json[entry.key] = to_json(entry.value);
      return json;
    }
    case ConfigNode::Kind::scalar:
      break;
  }
  if (node.quoted) return node.text;
  if (const auto flag = parse_flag(node.text)) return *flag;
  const auto integer = parse_integer(node.text);
  if (integer.error == NumberError::none) return integer.value;
  const auto real = parse_real(node.text);
  const bool is_finite = real.error == NumberError::none && std::isfinite(real.value);
  return is_finite ? Json(real.value) : Json(node.text);
}

std::string to_yaml(const Json& json) {
  YAML::Emitter out;
  emit(out, json);
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace apo
