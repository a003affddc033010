#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "apo/ranks/ranks.h"
#include "support/thread_group.h"

namespace apo {
namespace {

TEST(MeasuredGroup, SumsAsTheOneBehindItAndCountsEachMessageOnce) {
  std::vector<Traffic> traffic(3);
  std::vector<double> sums(3);
  test::on_ranks(3, [&](Group& group) {
    const auto counted =
        measured(std::make_unique<test::ThreadGroup>(dynamic_cast<test::ThreadGroup&>(group)));
    Tensor first = at::full({5}, 1.0 + static_cast<double>(counted->rank()), at::kDouble);
    Tensor second = first.to(at::kFloat);
    counted->begin_sum(first);
    counted->push();
    counted->begin_sum(second);
    counted->finish_sums();
    sums[group.rank()] = first[4].item<double>() + second[0].item<double>();
    EXPECT_EQ(counted->max(counted->rank()), 2);
    EXPECT_EQ(counted->gather("abc").size(), 3U);
    traffic[group.rank()] = counted->traffic();
  });
  EXPECT_EQ(sums, std::vector<double>({12, 12, 12}));
  for (const Traffic& of_rank : traffic) {
    EXPECT_EQ(of_rank.messages, 4);
    EXPECT_EQ(of_rank.bytes, 5 * 8 + 5 * 4 + 8 + 3);
    EXPECT_GT(of_rank.waiting_seconds, 0);
    EXPECT_LE(of_rank.waiting_seconds, of_rank.seconds);
  }
}

}  // namespace
}  // namespace apo
