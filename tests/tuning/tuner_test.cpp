#include "apo/tuning/tuner.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo {
namespace {

using test::kSetting;
using test::rates;
using test::run;

class TunersWithRule : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<UpdateRule> rule_ =
      ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), GetParam()).make(kSetting);
};

TEST_P(TunersWithRule, ApoWithMetaRateZeroEqualsAConstantRateBitForBit) {
  ApoOptions options;
  options.meta_learning_rate = 0;
  options.interval = 3;
  const auto apo = run(*make_apo(options), *rule_, {.steps = 40});
  const auto constant = run(*make_constant({}), *rule_, {.steps = 40});
  ASSERT_EQ(apo->trace.metas.size(), 14);
  for (size_t t = 0; t < 40; ++t) {
    EXPECT_EQ(apo->trace.steps[t].loss, constant->trace.steps[t].loss);
    EXPECT_EQ(apo->trace.steps[t].learning_rate, 0.05);
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(apo->problem.network->parameters()[i],
                          constant->problem.network->parameters()[i]));
  }
  EXPECT_TRUE(
      at::equal(apo->problem.network->buffers()[0], constant->problem.network->buffers()[0]));
}

TEST_P(TunersWithRule, ApoMovesTheRateAtMetaStepsOnly) {
  ApoOptions options;
  options.interval = 4;
  const auto apo = run(*make_apo(options), *rule_, {.steps = 12});
  const std::vector<double> eta = rates(*apo);
  for (size_t t = 1; t < eta.size(); ++t) EXPECT_EQ(eta[t] != eta[t - 1], t % 4 == 0) << t;
  EXPECT_NE(eta[0], 0.05);  // the first step already uses a moved rate
  EXPECT_EQ(apo->trace.tuned, (std::vector<double>{eta[0], eta[4], eta[8]}));
}

TEST_P(TunersWithRule, ALargeLambdaLowersTheRateAndAZeroOneRaisesATinyRate) {
  ApoOptions options;
  options.lambda = 1e4;
  EXPECT_LT(rates(*run(*make_apo(options), *rule_, {.steps = 50})).back(), 0.05);
  options.lambda = 0;
  const auto tiny = ChoiceOf<UpdateRule, const RuleSetting&>(update_rules(), GetParam())
                        .make({.learning_rate = 1e-6});
  EXPECT_GT(rates(*run(*make_apo(options), *tiny, {.steps = 50})).back(), 1e-5);
}

TEST_P(TunersWithRule, ApoWorksWithEveryMetaOptimizer) {
  for (const std::string& meta : test::names(meta_rules())) {
    ApoOptions options;
    options.meta_optimizer.select(meta);
    const auto apo = run(*make_apo(options), *rule_, {.steps = 30});
    EXPECT_TRUE(std::isfinite(rates(*apo).back())) << meta;
    EXPECT_NE(rates(*apo).back(), 0.05) << meta;
  }
}

TEST_P(TunersWithRule, AutoStartsFromARateThatLowersTheObjectiveInEitherScope) {
  for (const auto scope : {ApoOptions::Scope::global, ApoOptions::Scope::per_layer}) {
    ApoOptions options;
    SCOPED_TRACE(scope == ApoOptions::Scope::global ? "global" : "per layer");
    options.scope = scope;
    options.meta_learning_rate = 0;
    const auto found = run(*make_apo(options), *rule_, {.steps = 1, .auto_learning_rate = true});
    EXPECT_LT(found->trace.metas[0].objective, found->trace.steps[0].loss);
    EXPECT_NE(rates(*found)[0], 0.05);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         TunersWithRule,
                         testing::ValuesIn(test::tunable_rules()),
                         test::test_name);

}  // namespace
}  // namespace apo
