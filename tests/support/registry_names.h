// Runs a test for every member of a registry, named by it: a new member is tested by existing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apo/base/error.h"
#include "apo/config/reader.h"

namespace apo::test {

template <class Registry>
std::vector<std::string> names(const Registry& registry) {
  std::vector<std::string> names;
  names.reserve(registry.size());
  for (const auto& member : registry) names.push_back(member.name);
  return names;
}

/// Those that can be made with their default options: none that must be given a file.
template <class Registry>
std::vector<std::string> names_with_defaults(const Registry& registry) {
  std::vector<std::string> complete;
  for (const auto& member : registry) {
    const auto recipe = member.recipe();
    try {
      read_options(Document(), [&](OptionVisitor& visitor) { recipe->visit(visitor); });
      complete.push_back(member.name);
    } catch (const Error&) {  // a key must be given
    }
  }
  return complete;
}

inline std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace apo::test
