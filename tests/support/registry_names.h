// Runs a test for every member of a registry, named by it: a new member is tested by existing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace apo::test {

template <class Registry>
std::vector<std::string> names(const Registry& registry) {
  std::vector<std::string> names;
  names.reserve(registry.size());
  for (const auto& member : registry) names.push_back(member.name);
  return names;
}

inline std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace apo::test
