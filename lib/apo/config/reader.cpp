#include "apo/config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "apo/base/registry.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"
#include "apo/config/mistakes.h"
#include "apo/config/scalar.h"

namespace apo {
namespace {

std::string comma_separated(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

/// Reads one mapping; sections below it get a reader of their own.
class ReadVisitor : public OptionVisitor {
 public:
  /// `path` is the section's dotted key, "" at the top.
  ReadVisitor(const ConfigNode& mapping, std::string path, Mistakes& mistakes)
      : mapping_(mapping), path_(std::move(path)), mistakes_(mistakes) {}

  void real(const char* key, double& value, const Range& range, const char*) override {
    if (const ConfigNode* node = take(key)) read_number(key, *node, range, "a number", value);
  }

  void real_or_auto(const char* key,
                    std::optional<double>& value,
                    const Range& range,
                    const char*) override {
    const ConfigNode* node = take(key);
    if (node == nullptr) return;
    if (node->is_scalar() && node->text == "auto") {
      value = std::nullopt;
      return;
    }
    double number = 0;
    if (read_number(key, *node, range, "a number or auto", number)) value = number;
  }

  void integer(const char* key, int64_t& value, const Range& range, const char*) override {
    if (const ConfigNode* node = take(key)) read_number(key, *node, range, "an integer", value);
  }

  void flag(const char* key, bool& value, const char*) override {
    const ConfigNode* node = take(key);
    if (node == nullptr || !require_scalar(key, *node, "true or false")) return;
    const std::optional<bool> flag = parse_flag(node->text);
    if (!flag || node->quoted) {
      reject(key, *node, flag ? "must be true or false, without quotes" : "must be true or false");
    } else {
      value = *flag;
    }
  }

  void word(const char* key,
            std::string& value,
            const std::vector<std::string>& accepted,
            const char*) override {
    if (const ConfigNode* node = take(key)) read_word(key, *node, accepted, value);
  }

  void words(const char* key,
             std::vector<std::string>& value,
             const std::vector<std::string>& accepted,
             const char*) override {
    read_list(key, value, [&](const ConfigNode& item, std::string& word) {
      return read_word(key, item, accepted, word);
    });
  }

  void integers(const char* key,
                std::vector<int64_t>& value,
                const Range& each,
                const char*) override {
    read_list(key, value, [&](const ConfigNode& item, int64_t& number) {
      return read_number(key, item, each, "an integer", number);
    });
  }

  void reals(const char* key, std::vector<double>& value, const Range& each, const char*) override {
    read_list(key, value, [&](const ConfigNode& item, double& number) {
      return read_number(key, item, each, "a number", number);
    });
  }

  void interval(const char* key,
                std::optional<Range>& value,
                const Range& each,
                const char*) override {
    const ConfigNode* node = take(key);
    if (node == nullptr) return;
    if (!node->is_sequence() || node->items.size() != 2) {
      reject(key, *node, "must be [lower, upper]", true);
      return;
    }
    Range read;
    const bool right = read_number(key, node->items[0], each, "a number", read.lower) &&
                       read_number(key, node->items[1], each, "a number", read.upper);
    if (!right) return;
    if (read.lower <= read.upper) {
      value = read;
    } else {
      mistakes_.add(node->rank,
                    fmt::format("{}: {} = [{}, {}]: must be [lower, upper] with lower <= upper",
                                node->where,
                                dotted(key),
                                read.lower,
                                read.upper));
    }
  }

  void section(const char* key,
               const char*,
               const std::function<void(OptionVisitor&)>& fields) override {
    const ConfigNode* node = take(key);
    if (node != nullptr && !node->is_mapping() && !node->is_null()) {
      reject(key, *node, "must be a mapping of keys");
      return;
    }
    ConfigNode absent{.where = mapping_.where, .rank = mapping_.rank};
    ReadVisitor below(node != nullptr ? *node : absent, dotted(key), mistakes_);
    fields(below);
    below.finish();
  }

  void choice(Choice& choice, const char*) override {
    if (const ConfigNode* node = take("name")) {
      std::string name;
      if (!read_member(*node, choice.names(), name)) {
        knows_all_keys_ = false;
        return;
      }
      if (name != choice.name()) choice.select(name);
    }
    choice.visit(*this);
  }

  void choices(const char* key, ChoiceList& list, const char*) override {
    const ConfigNode* node = take(key);
    if (node == nullptr) return;
    if (!node->is_sequence()) {
      reject(key, *node, "must be a list");
      return;
    }
    list.clear();
    for (size_t i = 0; i < node->items.size(); ++i) {
      read_choice(fmt::format("{}[{}]", key, i), node->items[i], list.add());
    }
  }

  void require(bool holds, const char* key, const std::string& message) override {
    if (holds) return;
    const ConfigNode* place = find(mapping_, key);
    const std::string value =
        place != nullptr && place->is_scalar() ? " = " + shown(*place) : std::string();
    if (place == nullptr) place = &mapping_;
    mistakes_.add_broken_condition(
        place->rank, fmt::format("{}: {}{}: {}", place->where, dotted(key), value, message));
  }

  /// Called after all fields have been visited.
  void finish() {
    if (!knows_all_keys_) return;
    for (const auto& entry : mapping_.entries) {
      if (std::find(keys_.begin(), keys_.end(), entry.key) != keys_.end()) continue;
      std::string hint = did_you_mean(entry.key, keys_);
      if (hint.empty() && !keys_.empty()) hint = "; accepted here: " + comma_separated(keys_);
      if (hint.empty()) hint = "; no keys are accepted here";
      mistakes_.add(
          entry.rank,
          fmt::format("{}: unknown key '{}'{}", entry.where, in_one_line(entry.key), hint));
    }
  }

 private:
  std::string dotted(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }

  /// The value of a key that is now known, or nullptr.
  const ConfigNode* take(const char* key) {
    keys_.emplace_back(key);
    const auto* entry = mapping_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }

  void reject(const std::string& key,
              const ConfigNode& node,
              const std::string& what,
              bool takes_list = false) {
    const bool scalar = node.is_scalar();
    // Several values where one is accepted: a sweep is meant.
    const bool grid = node.is_sequence() && !node.items.empty() && !takes_list &&
                      dotted(key).find('[') == std::string::npos;
    mistakes_.add(node.rank,
                  fmt::format("{}: {}{}: {}{}{}",
                              node.where,
                              dotted(key),
                              scalar ? " = " + shown(node) : "",
                              what,
                              scalar ? "" : ", not " + shown(node),
                              grid ? "; for a grid: grid." + dotted(key) + "=[…]" : ""));
  }

  bool require_scalar(const std::string& key, const ConfigNode& node, const std::string& wanted) {
    if (!node.is_scalar()) reject(key, node, "must be " + wanted);
    return node.is_scalar();
  }

  /// Reads a number; false and a mistake where the node is no such number.
  template <class Number>
  bool read_number(const std::string& key,
                   const ConfigNode& node,
                   const Range& range,
                   const std::string& wanted,
                   Number& value) {
    if (!require_scalar(key, node, wanted)) return false;
    const std::string wrong = parse_number(node, range, wanted, value);
    if (!wrong.empty()) reject(key, node, wrong);
    return wrong.empty();
  }

  bool read_word(const std::string& key,
                 const ConfigNode& node,
                 const std::vector<std::string>& accepted,
                 std::string& value) {
    const std::string wanted = accepted.empty() ? "a string" : list_or(accepted);
    if (!require_scalar(key, node, wanted)) return false;
    const bool known = std::find(accepted.begin(), accepted.end(), node.text) != accepted.end();
    if (!accepted.empty() && !known) {
      reject(key, node, "must be " + wanted + did_you_mean(node.text, accepted));
      return false;
    }
    value = node.text;
    return true;
  }

  /// The member's name under the key `name` of a choice.
  bool read_member(const ConfigNode& node,
                   const std::vector<std::string>& names,
                   std::string& name) {
    if (!require_scalar("name", node, list_or(names))) return false;
    name = node.text;
    if (std::find(names.begin(), names.end(), name) != names.end()) return true;
    std::string family = path_.substr(path_.rfind('.') + 1);
    std::replace(family.begin(), family.end(), '_', ' ');
    if (const size_t bracket = family.find("s["); bracket != std::string::npos) {
      family.resize(bracket);  // layers[3]: a layer
    }
    reject("name",
           node,
           fmt::format("unknown {}; accepted: {}{}",
                       family.empty() ? "name" : family,
                       comma_separated(names),
                       did_you_mean(name, names)));
    return false;
  }

  /// An item of a list: a mapping with a name, or a name.
  void read_choice(const std::string& key, const ConfigNode& node, Choice& choice) {
    ConfigNode item = node;
    if (node.is_scalar()) {
      item = {.kind = ConfigNode::Kind::mapping, .where = node.where, .rank = node.rank};
      item.entries.push_back(
          {.key = "name", .where = node.where, .rank = node.rank, .value = node});
    } else if (!node.is_mapping()) {
      reject(key, node, "must be a name, or a mapping with one", true);
      return;
    }
    if (item.find("name") == nullptr) {
      mistakes_.add(node.rank,
                    fmt::format("{}: {}.name: must be given; accepted: {}",
                                node.where,
                                dotted(key),
                                comma_separated(choice.names())));
      return;
    }
    ReadVisitor below(item, dotted(key), mistakes_);
    below.choice(choice, "");
    below.finish();
  }

  /// A list, or one value as a list of one. Assigns only if every item is right.
  template <class Value, class ReadItem>
  void read_list(const char* key, std::vector<Value>& values, ReadItem read_item) {
    const ConfigNode* node = take(key);
    if (node == nullptr) return;
    if (node->is_null() || node->is_mapping()) {
      reject(key, *node, "must be a list");
      return;
    }
    const size_t size = node->is_sequence() ? node->items.size() : 1;
    std::vector<Value> read(size);
    bool right = true;
    for (size_t i = 0; i < size; ++i) {
      right &= read_item(node->is_sequence() ? node->items[i] : *node, read[i]);
    }
    if (right) values = std::move(read);
  }

  const ConfigNode& mapping_;
  const std::string path_;
  Mistakes& mistakes_;
  std::vector<std::string> keys_;
  bool knows_all_keys_ = true;
};

}  // namespace

void read_options(const Document& document, const std::function<void(OptionVisitor&)>& fields) {
  Mistakes mistakes;
  ReadVisitor reader(document.root(), "", mistakes);
  fields(reader);
  reader.finish();
  mistakes.throw_first();
}

}  // namespace apo
