// Several ranks train as one does: with every rule and every tuner, on batches that do not divide.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>

#include <tuple>

#include "apo/base/error.h"
#include "apo/model/batch_norm.h"
#include "apo/model/taps.h"
#include "apo/problem/supervised.h"
#include "support/every_tuner.h"
#include "support/recorder.h"
#include "support/thread_group.h"

namespace apo {
namespace {

struct Tanh : torch::nn::Module {
  Tensor forward(const Tensor& x) { return tapped(fc2, tapped(fc1, x).tanh()); }
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(4, 5));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(5, 3));
};

/// Every output hangs on the whole batch. A bias before BatchNorm would have no gradient but
/// rounding, of which Adam makes whole steps.
struct Normed : torch::nn::Module {
  Tensor forward(const Tensor& x) { return tapped(fc2, norm2(norm1(tapped(fc1, x)).tanh())); }
  torch::nn::Linear fc1 =
      register_module("fc1", torch::nn::Linear(torch::nn::LinearOptions(4, 5).bias(false)));
  BatchNorm1d norm1 = register_module("norm1", BatchNorm1d(5));
  BatchNorm1d norm2 = register_module("norm2", BatchNorm1d(5));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(5, 3));
};

enum class Targets { classes, weighted_classes, numbers, classes_by_batch_norm };

/// 46 examples, whose classes the inputs determine.
Dataset data_of(Targets kind) {
  at::Generator generator = make_generator(0, RandomStream::synthetic_data);
  const auto part = [&](int64_t count) {
    const Tensor x = at::randn({count, 4}, generator, at::kDouble);
    const Tensor y =
        kind == Targets::numbers ? x.narrow(1, 0, 3).sin() : x.narrow(1, 0, 3).argmax(1);
    const bool weighted = kind == Targets::weighted_classes;
    return Split{x, y, weighted ? at::rand({count}, generator, at::kDouble) : Tensor()};
  };
  Dataset dataset;
  dataset.classes = kind == Targets::numbers ? 0 : 3;
  dataset.train = part(46);
  dataset.test = part(7);
  return dataset;
}

std::unique_ptr<Problem> problem_of(Targets kind, Group& group) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(0);
  const NetworkOptions options{.precision = Precision::float64, .batch_norm = &group};
  return make_supervised(kind == Targets::classes_by_batch_norm
                             ? network_of(std::make_shared<Normed>(), options)
                             : network_of(std::make_shared<Tanh>(), options),
                         kind == Targets::numbers ? make_squared_error() : make_cross_entropy(),
                         data_of(kind),
                         {.batch_size = 10, .precision = Precision::float64, .group = &group});
}

/// What a rank has at the end of a run, and what it was told on the way.
struct Ran {
  std::vector<double> losses;
  std::vector<double> rates;
  TensorList theta;
  std::optional<Metrics> test;
};

std::vector<Ran> run_on(int64_t ranks,
                        const std::string& rule_name,
                        const std::string& tuner_name,
                        Targets kind,
                        const RuleSetting& setting = {.learning_rate = 0.01}) {
  std::vector<Ran> runs(ranks);
  test::on_ranks(ranks, [&](Group& group) {
    const auto problem = problem_of(kind, group);
    const auto rule = UpdateRuleChoice(update_rules(), rule_name).make(setting);
    const auto tuner = test::make_tuner(tuner_name);
    const auto recorder =
        test::record(*problem, *rule, *tuner, {.steps = 12, .auto_learning_rate = false});
    runs[group.rank()] = {recorder.losses(),
                          recorder.rates(),
                          detached(problem->network->parameters()),
                          evaluate(*problem, Part::test)};
  });
  return runs;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t t = 0; t < found.size(); ++t) {
    EXPECT_NEAR(found[t], expected[t], 1e-10 * std::max(1.0, std::abs(expected[t]))) << t;
  }
}

void expect_as_one(int64_t ranks,
                   const std::string& rule,
                   const std::string& tuner,
                   Targets kind,
                   const RuleSetting& setting = {.learning_rate = 0.01}) {
  const Ran one = run_on(1, rule, tuner, kind, setting).front();
  const std::vector<Ran> many = run_on(ranks, rule, tuner, kind, setting);
  for (const Ran& rank : many) {
    expect_near(rank.losses, one.losses);
    expect_near(rank.rates, one.rates);
    EXPECT_EQ(rank.losses, many.front().losses);  // to the bit the same on all
    EXPECT_EQ(rank.rates, many.front().rates);
    for (size_t i = 0; i < one.theta.size(); ++i) {
      EXPECT_TRUE(at::allclose(rank.theta[i], one.theta[i], 1e-9, 1e-10));
      EXPECT_TRUE(rank.theta[i].equal(many.front().theta[i]));
    }
    EXPECT_NEAR(rank.test->loss, one.test->loss, 1e-10);
    EXPECT_EQ(rank.test->accuracy, one.test->accuracy);
  }
}

class Ranks : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Ranks, TrainAsOneDoes) {
  const auto& [rule, tuner] = GetParam();
  for (const int64_t ranks : {2, 4}) expect_as_one(ranks, rule, tuner, Targets::classes);
}

INSTANTIATE_TEST_SUITE_P(All,
                         Ranks,
                         testing::Combine(testing::ValuesIn(test::names(update_rules())),
                                          testing::ValuesIn(test::tuner_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

TEST(Ranks, WeighExamplesAsOneDoes) {
  for (const char* tuner : {"movement", "apo_robust", "apo_exact"}) {
    expect_as_one(3, "sgdm", tuner, Targets::weighted_classes);
  }
}

TEST(Ranks, LearnRealNumbersAsOneDoes) {
  for (const char* rule : {"adam", "kfac"}) {
    for (const char* tuner : {"movement", "apo_robust"})
      expect_as_one(3, rule, tuner, Targets::numbers);
  }
}

class BatchNormOfRanks : public Ranks {};

TEST_P(BatchNormOfRanks, TrainsAsThatOfOneDoes) {
  const auto& [rule, tuner] = GetParam();
  for (const int64_t ranks : {2, 4}) {
    expect_as_one(ranks, rule, tuner, Targets::classes_by_batch_norm);
  }
}

// The exact solver differentiates forwards, for which threads of one process are in each other's
// way: tests/end_to_end/test_rank_trajectories.py.
INSTANTIATE_TEST_SUITE_P(
    Some,
    BatchNormOfRanks,
    testing::Combine(testing::Values("sgdm", "adam", "kfac"),
                     testing::Values("constant", "movement", "apo_robust", "apo_per_layer")),
    [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });
// Its Hessian is that of the whole batch, by a double backward pass.
INSTANTIATE_TEST_SUITE_P(Smd,
                         BatchNormOfRanks,
                         testing::Values(std::tuple<std::string, std::string>("smd", "constant")));

TEST(Ranks, ClipAndDecayAsOneDoes) {
  expect_as_one(
      2,
      "sgdm",
      "apo_exact",
      Targets::classes,
      {.learning_rate = 0.01, .weight_decay = 0.1, .clip_norm = 0.05, .clip_outliers = 0.5});
}

TEST(Ranks, FindTheFirstRateThatOneFinds) {
  std::vector<double> found;
  for (const int64_t ranks : {1, 2}) {
    for (const char* tuner : {"movement", "apo_robust"}) {
      std::vector<double> rates(ranks);
      test::on_ranks(ranks, [&](Group& group) {
        const auto problem = problem_of(Targets::classes, group);
        const auto rule = make_sgd({}, {.learning_rate = 1});
        const auto tuned = test::make_tuner(tuner);
        rates[group.rank()] =
            test::record(*problem, *rule, *tuned, {.steps = 1, .auto_learning_rate = true})
                .rates()
                .front();
      });
      EXPECT_EQ(rates.front(), rates.back());
      found.push_back(rates.front());
    }
  }
  EXPECT_NEAR(found[0], found[2], 1e-10);
  EXPECT_NEAR(found[1], found[3], 1e-10);
}

TEST(Ranks, RefuseWhatIsNotTheSameOnAll) {
  std::vector<std::string> said(3);
  test::on_ranks(3, [&](Group& group) {
    require_same(group, "configuration", "one");
    try {
      require_same(group, "data", group.rank() == 2 ? "others" : "some");
    } catch (const Error& error) {
      said[group.rank()] = error.what();
    }
  });
  EXPECT_THAT(said, testing::Each(testing::HasSubstr("rank 2 has not the same data")));
}

TEST(Ranks, ShareAllExamplesAndEachOnlyOnce) {
  for (const int64_t ranks : {1, 2, 3, 7}) {
    for (const int64_t size : {7, 8, 100, 101}) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        const Share share = share_of(size, rank, ranks);
        EXPECT_EQ(share.begin, next);
        EXPECT_NEAR(share.count, static_cast<double>(size) / static_cast<double>(ranks), 1);
        next += share.count;
      }
      EXPECT_EQ(next, size);
    }
  }
}

}  // namespace
}  // namespace apo
