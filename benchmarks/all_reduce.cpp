// How long a sum over ranks takes, whatever starts them: mpirun -n N apo-all-reduce ROUNDS TOTAL
// BYTES… For each number of bytes, TOTAL bytes of float32 are summed in messages of that many, all
// under way at once as the buckets of a gradient are; 0 stands for a lone message of a double, as
// the numbers of a meta step are. The first rank prints JSON: the seconds of each round, of the
// slowest rank.
#include <ATen/ops/zeros.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "apo/base/tensors.h"
#include "apo/ranks/ranks.h"

namespace {

using Clock = std::chrono::steady_clock;

std::vector<apo::Tensor> messages(int64_t bytes, int64_t total) {
  if (bytes == 0) return {at::zeros({1}, at::kDouble)};
  std::vector<apo::Tensor> made;
  for (int64_t rest = total; rest > 0; rest -= bytes) {
    made.push_back(at::zeros({std::max<int64_t>(1, std::min(bytes, rest) / 4)}, at::kFloat));
  }
  return made;
}

double seconds_of_round(apo::Group& group, std::vector<apo::Tensor>& tensors) {
  group.max(0);  // all begin together
  const Clock::time_point begin = Clock::now();
  for (apo::Tensor& tensor : tensors) {
    group.begin_sum(tensor);
    group.push();
  }
  group.finish_sums();
  return 1e-9 * static_cast<double>(group.max((Clock::now() - begin).count()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: mpirun -n N apo-all-reduce ROUNDS TOTAL BYTES…\n");
    return 2;
  }
  const auto group = apo::join_ranks();
  const int rounds = std::stoi(argv[1]);
  const int64_t total = std::stoll(argv[2]);
  nlohmann::json cases = nlohmann::json::array();
  for (int i = 3; i < argc; ++i) {
    const int64_t bytes = std::stoll(argv[i]);
    std::vector<apo::Tensor> tensors = messages(bytes, total);
    seconds_of_round(*group, tensors);
    std::vector<double> seconds;
    for (int round = 0; round < rounds; ++round) {
      seconds.push_back(seconds_of_round(*group, tensors));
    }
    cases.push_back({{"bytes", bytes}, {"messages", tensors.size()}, {"seconds", seconds}});
  }
  if (group->leads()) {
    const nlohmann::json said{{"ranks", group->size()}, {"total", total}, {"cases", cases}};
    fmt::print("{}\n", said.dump());
  }
}
