#include "apo/config/starter.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apo/config/writer.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// Where the comments begin, and where they are broken.
constexpr size_t kColumn = 36;
constexpr size_t kWidth = 120;

/// The descriptions of a section and of the member that it has chosen.
struct Described {
  const SectionDescription* section = nullptr;
  const SectionDescription* member = nullptr;

  const OptionDescription* option(const std::string& key) const {
    for (const SectionDescription* part : {section, member}) {
      if (part == nullptr) continue;
      for (const OptionDescription& option : part->options) {
        if (option.key == key) return &option;
      }
    }
    return nullptr;
  }
  const SectionDescription* below(const std::string& key) const {
    for (const SectionDescription* part : {section, member}) {
      if (part == nullptr) continue;
      for (const SectionDescription& below : part->sections) {
        if (below.key == key) return &below;
      }
    }
    return nullptr;
  }
};

Described described(const SectionDescription* section, const Json& config) {
  Described result{.section = section};
  if (section == nullptr) return result;
  for (const auto& member : section->members) {
    if (config.contains("name") && config["name"] == member.name) result.member = &member.own;
  }
  return result;
}

/// "passes over the training set (>= 1)".
std::string comment_of(const OptionDescription& option) {
  return option.accepted.empty() ? option.help
                                 : fmt::format("{} ({})", option.help, option.accepted);
}

class Writer {
 public:
  /// `given`: nullptr where nothing of the section is.
  void section(const SectionDescription* section,
               const Json& config,
               const ConfigNode* given,
               const std::string& indent) {
    const Described about = described(section, config);
    for (const auto& [key, value] : config.items()) {
      const auto* entry = given != nullptr ? given->find(key) : nullptr;
      const ConfigNode* node =
          entry != nullptr && !entry->value.is_null() ? &entry->value : nullptr;
      const SectionDescription* below = about.below(key);
      if (value.is_object() && (node == nullptr || node->is_mapping())) {
        if (value.empty()) continue;
        line(indent, node != nullptr, key + ":", below != nullptr ? below->help : "");
        this->section(below, value, node, indent + "  ");
      } else {
        const OptionDescription* option = about.option(key);
        const std::string comment = option != nullptr ? comment_of(*option) : "";
        pair(indent, node != nullptr, key, node != nullptr ? to_json(*node) : value, comment);
      }
    }
    if (given == nullptr) return;
    for (const auto& entry : given->entries) {
      if (config.contains(entry.key) || entry.value.is_null()) continue;
      const OptionDescription* option = about.option(entry.key);
      pair(indent,
           true,
           entry.key,
           to_json(entry.value),
           option != nullptr ? comment_of(*option) : "");
    }
  }

  std::string take() { return std::move(text_); }

 private:
  /// The YAML of one key, on as many lines as it takes.
  void pair(const std::string& indent,
            bool is_given,
            const std::string& key,
            const Json& value,
            const std::string& comment) {
    std::istringstream lines(to_yaml(Json{{key, value}}));
    std::string yaml;
    for (bool first = true; std::getline(lines, yaml); first = false) {
      line(indent, is_given, yaml, first ? comment : "");
    }
  }

  void line(const std::string& indent,
            bool is_given,
            const std::string& yaml,
            const std::string& comment) {
    const std::string code = indent + (is_given ? "" : "#") + yaml;
    text_ += code;
    size_t at = code.size();
    std::istringstream words(comment);
    std::string word;
    for (bool first = true; words >> word; first = false) {
      if (first) {
        const size_t blanks = at + 2 < kColumn ? kColumn - at : 2;
        text_ += fmt::format("{:{}}# {}", "", blanks, word);
        at += blanks + 2;
      } else if (at + 1 + word.size() > kWidth) {
        text_ += fmt::format("\n{:{}}# {}", "", kColumn, word);
        at = kColumn + 2;
      } else {
        text_ += " " + word;
        ++at;
      }
      at += word.size();
    }
    text_ += '\n';
  }

  std::string text_;
};

}  // namespace

std::string starter(const SectionDescription& keys, const Json& resolved, const Document& given) {
  Writer writer;
  writer.section(&keys, resolved, &given.root(), "");
  return writer.take();
}

}  // namespace apo
