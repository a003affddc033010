#include "apo/tuning/meta_optimizer.h"

#include <gtest/gtest.h>

#include "support/registry_names.h"

namespace apo {
namespace {

TEST(MetaRules, AreTheUpdateRulesThatLookAtGradientsAlone) {
  std::vector<std::string> expected = test::names(update_rules());
  std::erase(expected, "kfac");
  std::erase(expected, "smd");
  EXPECT_EQ(test::names(meta_rules()), expected);
  EXPECT_EQ(test::names(paper_meta_rules()), expected);
}

}  // namespace
}  // namespace apo
