#include "apo/tuning/rate_search.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "support/registry_names.h"
#include "support/tiny_problem.h"

namespace apo {
namespace {

/// A run of each rule about to take its first step.
class RateSearchWith : public testing::TestWithParam<std::string> {
 protected:
  RateSearchWith() {
    rule_->observe_curvature(problem_, x_, xi_);
    rule_->observe(g_, xi_);
  }

  bool survives(double rate) {
    Hyperparameters phi = phi_;
    phi.set(phi.index("learning_rate"), rate);
    return survives_trial(context_, phi, 10, 2 * loss_.item<double>(), {});
  }

  Tensor rates(double rate) const { return at::full({1}, rate, at::kDouble); }

  test::TinyProblem problem_;
  std::unique_ptr<UpdateRule> rule_ = UpdateRuleChoice(update_rules(), GetParam()).make({});
  Batch x_ = problem_.batches->next();
  Tensor loss_ = loss_on(problem_, x_);
  TensorList g_ = gradient(loss_, problem_.network->parameters());
  Statistics xi_ = rule_->initial_statistics(problem_.network->parameters());
  Hyperparameters phi_{rule_->hyperparameters(), 4};
  StepContext context_{0, problem_, *rule_, g_, xi_, x_, loss_};
  std::unique_ptr<Discrepancy> discrepancy_ = make_squared_euclidean({});
  Batch x_tilde_ = problem_.discrepancy_batches->next();
  PendingStep step_{problem_, *rule_, g_, xi_, x_, x_tilde_};
  ProximalObjective objective_{step_, *discrepancy_, {.lambda = 0.1}};
};

TEST_P(RateSearchWith, FindsAMinimumThatItsNeighboursDoNotBeat) {
  const auto best = search_all_rates(objective_, phi_, [] { return false; }).item<double>();
  const auto value = [&](double rate) {
    return objective_.value(phi_.values_with({phi_.index("learning_rate")}, {rates(rate)}));
  };
  EXPECT_LT(value(best), value(best * 1.78));
  EXPECT_LT(value(best), value(best / 1.78));
  EXPECT_TRUE(is_near_minimum(objective_, phi_, rates(best)));
  EXPECT_FALSE(is_near_minimum(objective_, phi_, rates(best * 1e3)));
  EXPECT_FALSE(is_near_minimum(objective_, phi_, rates(best * 1e-3)));
}

TEST_P(RateSearchWith, FindsTheSameMinimumFromAnAbsurdRateAndFromATinyOne) {
  const auto best = search_all_rates(objective_, phi_, [] { return false; }).item<double>();
  for (const double factor : {1e3, 1e-1}) {
    const Tensor found = search_multiples(objective_, phi_, rates(best * factor));
    EXPECT_NEAR(found.item<double>() / best, 1, 1e-12);
  }
}

TEST_P(RateSearchWith, ATinyRateSurvivesATrialAndAHugeOneDoesNot) {
  EXPECT_TRUE(survives(1e-6));
  EXPECT_FALSE(survives(1e4));
}

TEST_P(RateSearchWith, ATrialLeavesTheRunUntouched) {
  const TensorList theta = clone(problem_.network->parameters());
  const TensorList buffers = clone(problem_.network->buffers());
  const Statistics xi = clone(xi_);
  const TensorList g = clone(g_);
  survives(0.1);
  for (size_t i = 0; i < theta.size(); ++i) {
    EXPECT_TRUE(at::equal(problem_.network->parameters()[i], theta[i]));
    EXPECT_TRUE(at::equal(g_[i], g[i]));
    for (size_t s = 0; s < xi.slots.size(); ++s) {
      EXPECT_TRUE(at::equal(xi_.slots[s][i], xi.slots[s][i]));
    }
  }
  EXPECT_TRUE(at::equal(problem_.network->buffers()[0], buffers[0]));
  EXPECT_EQ(to_double(xi_.updates), to_double(xi.updates));
  for (size_t b = 0; b < xi.blocks.size(); ++b) {
    EXPECT_TRUE(at::equal(xi_.blocks[b].inputs.moment, xi.blocks[b].inputs.moment));
    EXPECT_TRUE(at::equal(xi_.blocks[b].inputs.vectors, xi.blocks[b].inputs.vectors));
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         RateSearchWith,
                         testing::ValuesIn(test::names(update_rules())),
                         test::test_name);

}  // namespace
}  // namespace apo
