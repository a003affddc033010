// What options structs accept, as data: for listings and the reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apo/base/options.h"

namespace apo {

struct OptionDescription {
  std::string key;
  /// "number", "number or auto", "integer", "true or false", "string", "list of integers", "list of
  /// numbers", "[lower, upper]", …
  std::string type;
  /// The default, as YAML.
  std::string standard;
  /// "> 0 and <= 1", "red, green, blue"; empty where everything of the type is.
  std::string accepted;
  std::string help;
};

struct SectionDescription {
  struct Member;

  /// The key, without those of the sections around it.
  std::string key = {};
  std::string help = {};
  std::vector<OptionDescription> options = {};
  /// Where the section has a choice: whom `name` can select. The options do not include theirs.
  std::vector<Member> members;
  std::vector<SectionDescription> sections;
};

/// A member of a family.
struct SectionDescription::Member {
  std::string name;
  std::string help;
  SectionDescription own;
};

/// Describes `fields` with their present values as the defaults. Choices are visited with every
/// member and left at the one that they had, with its default options.
SectionDescription describe(const std::function<void(OptionVisitor&)>& fields);

}  // namespace apo
