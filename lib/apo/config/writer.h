// From options structs to JSON and YAML.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apo/base/options.h"
#include "apo/config/document.h"

namespace apo {

/// Every field that `fields` describes, with its value: `auto` as that word, sections nested, a
/// choice as its `name` and the member's options beside it.
nlohmann::ordered_json to_json(const std::function<void(OptionVisitor&)>& fields);

/// The same for a struct with `void visit(OptionVisitor&)`.
template <class Options>
auto options_to_json(Options& options) {
  return to_json([&](OptionVisitor& visitor) { options.visit(visitor); });
}

/// A value of a configuration as it would be read without knowing what is wanted.
nlohmann::ordered_json to_json(const ConfigNode& node);

/// YAML that reads back as the same values: numbers in their shortest exact form, strings in
/// quotes where they could be taken for something else, short lists on one line.
std::string to_yaml(const nlohmann::ordered_json& json);

}  // namespace apo
