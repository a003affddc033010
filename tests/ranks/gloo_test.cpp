// Ranks over Gloo that are threads of this process.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <vector>

#include "apo/base/random.h"
#include "apo/ranks/ranks.h"

namespace apo {
namespace {

uint16_t free_port() {
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  bind(taken, reinterpret_cast<sockaddr*>(&address), length);
  getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length);
  close(taken);
  return ntohs(address.sin_port);
}

/// `work` of each rank, one thread each. It must not throw.
void on_ranks(int64_t ranks, const std::function<void(Group& group)>& work) {
  const uint16_t port = free_port();
  std::vector<std::thread> threads;
  threads.reserve(ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto group = join_gloo({.rank = rank,
                                    .size = ranks,
                                    .local_rank = rank,
                                    .local_size = ranks,
                                    .address = "127.0.0.1",
                                    .port = port});
      work(*group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class GlooGroup : public testing::Test {
 protected:
  void SetUp() override {
    if (gloo_version() == "none") GTEST_SKIP() << "this build has no Gloo";
  }
};

TEST_F(GlooGroup, SumsToTheSameBitsOnAllRanks) {
  constexpr int64_t kRanks = 4;
  // One number, some that do not divide, and a bucket of gradients; all under way at once.
  const std::vector<int64_t> sizes = {1, 7, 1001, 50000};
  std::vector<TensorList> found(kRanks);
  std::vector<TensorList> parts(kRanks);
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    at::Generator generator = make_generator(rank, RandomStream::synthetic_data);
    for (const int64_t size : sizes) {
      parts[rank].push_back(at::rand({size}, generator, at::kFloat) - 0.5);
      found[rank].push_back(parts[rank].back().clone());
    }
  }
  on_ranks(kRanks, [&](Group& group) {
    for (Tensor& t : found[group.rank()]) {
      group.begin_sum(t);
      group.push();
    }
    group.finish_sums();
  });
  for (size_t i = 0; i < sizes.size(); ++i) {
    Tensor sum = at::zeros({sizes[i]}, at::kDouble);
    for (const TensorList& part : parts) sum += part[i];
    for (const TensorList& rank : found) EXPECT_TRUE(rank[i].equal(found[0][i])) << sizes[i];
    // Four numbers below .5: three roundings of at most half a unit of numbers below 2.
    EXPECT_LE((found[0][i] - sum).abs().max().item<double>(), 3 * 0x1p-24);
  }
}

TEST_F(GlooGroup, SumsAllTypesThatAreSummed) {
  on_ranks(2, [](Group& group) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kLong}) {
      Tensor t = at::full({2}, group.rank() + 1, type);
      group.sum(t);
      EXPECT_EQ(t.sum().item<double>(), 6);
    }
  });
}

TEST_F(GlooGroup, TellsEachRankWhatTheOthersHave) {
  on_ranks(3, [](Group& group) {
    EXPECT_EQ(group.size(), 3);
    EXPECT_EQ(group.local_size(), 3);
    EXPECT_EQ(group.max(group.rank() == 1 ? -5 : -7), -5);
    const std::vector<std::string> names = {"", "one", "the second"};
    EXPECT_EQ(group.gather(names[group.rank()]), names);
    EXPECT_THAT(group.gather(""), testing::Each(""));
  });
}

}  // namespace
}  // namespace apo
