#include "apo/update/factors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apo/base/random.h"
#include "support/thread_group.h"

namespace apo {
namespace {

TEST(SharedOut, EveryJobIsDoneOnceAndNoRankHasMoreThanAnotherByMoreThanOneJob) {
  const std::vector<std::vector<double>> jobs = {
      {5}, {1, 1, 1, 1}, {8, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 1000}, {3, 3, 2, 2, 2}};
  for (const std::vector<double>& costs : jobs) {
    for (const int64_t ranks : {1, 2, 3, 8}) {
      const std::vector<int64_t> rank_of = shared_out(costs, ranks);
      ASSERT_EQ(rank_of.size(), costs.size());
      std::vector<double> loads(ranks);
      for (size_t job = 0; job < costs.size(); ++job) loads.at(rank_of[job]) += costs[job];
      const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
      EXPECT_LE(*most - *least, *std::max_element(costs.begin(), costs.end()));
    }
  }
}

TEST(SharedOut, TheMostExpensiveJobsGoToDifferentRanks) {
  // 9 | 8, then 1 to the second, which has 9 as the first has: the last goes to the first again.
  EXPECT_EQ(shared_out({1, 8, 1, 9}, 2), (std::vector<int64_t>{1, 1, 0, 0}));
}

/// Of several sizes: the third is of rank 1, the fourth is not finite.
std::vector<KroneckerFactor> factors() {
  at::Generator generator = make_generator(0, RandomStream::model);
  std::vector<KroneckerFactor> all;
  for (const int64_t size : {3, 7, 5, 4, 1, 7}) {
    const Tensor root = at::randn({size, size}, generator, at::kDouble);
    all.push_back({at::matmul(root, root.t()), {}, {}});
  }
  all[2].moment = at::ones({5, 5}, at::kDouble);
  all[3].moment[1][2] = std::nan("");
  return all;
}

std::vector<KroneckerFactor*> pointers(std::vector<KroneckerFactor>& all) {
  std::vector<KroneckerFactor*> each;
  each.reserve(all.size());
  for (KroneckerFactor& factor : all) each.push_back(&factor);
  return each;
}

/// Bit for bit, NaN where NaN is; −0 is 0.
bool same(const Tensor& a, const Tensor& b) {
  return at::allclose(a, b, 0, 0, /*equal_nan=*/true);
}

TEST(Factors, EachIsRenewedByOneRankAndKnownToAll) {
  std::vector<KroneckerFactor> expected = factors();
  for (const Renewal what : {Renewal::basis, Renewal::values}) {
    std::vector<KroneckerFactor> before = expected;
    if (what == Renewal::values) before[0].moment = before[0].moment * 2;
    expected = before;
    renew(pointers(expected), what, alone());
    for (const int64_t ranks : {2, 3, 8}) {
      const std::vector<int64_t> rank_of = shared_out({27, 343, 125, 64, 1, 343}, ranks);
      test::on_ranks(ranks, [&](Group& group) {
        std::vector<KroneckerFactor> own = before;
        for (size_t i = 0; i < own.size(); ++i) {  // what is another's must not be looked at
          if (rank_of[i] != group.rank())
            own[i].moment = at::full(own[i].moment.sizes(), 1e300, at::kDouble);
        }
        renew(pointers(own), what, group);
        for (size_t i = 0; i < own.size(); ++i) {
          EXPECT_TRUE(same(own[i].values, expected[i].values)) << i << " of " << ranks;
          EXPECT_TRUE(same(own[i].vectors, expected[i].vectors)) << i << " of " << ranks;
        }
      });
    }
  }
  EXPECT_TRUE(expected[3].vectors.isnan().all().item<bool>());
  EXPECT_TRUE(expected[3].values.isnan().all().item<bool>());
  EXPECT_FALSE(expected[2].vectors.isnan().any().item<bool>());
}

}  // namespace
}  // namespace apo
