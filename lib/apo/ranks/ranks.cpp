#include "apo/ranks/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

#include "apo/base/error.h"
#include "apo/base/terminal.h"

namespace apo {
namespace {

bool says_more_than_one(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::atol(value) > 1;
}

bool is_set(const char* variable) {
  return std::getenv(variable) != nullptr;
}

/// Of Open MPI's mpirun, and what srun has of PMI and PMIx.
bool mpi_tells_of_others() {
  return says_more_than_one("OMPI_COMM_WORLD_SIZE") || says_more_than_one("PMI_SIZE") ||
         (is_set("PMIX_RANK") && says_more_than_one("SLURM_NTASKS"));
}

/// torchrun may itself have been started by srun or mpirun, once on each machine.
bool pytorch_tells_of_others() {
  return says_more_than_one("WORLD_SIZE") &&
         (is_set("TORCHELASTIC_RUN_ID") || !mpi_tells_of_others());
}

std::string word(const char* variable) {
  const char* value = std::getenv(variable);
  if (value != nullptr && *value != '\0') return value;
  throw Error(ErrorKind::config,
              fmt::format("{}: not set, where WORLD_SIZE tells of several ranks; accepted: RANK, "
                          "WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, "
                          "as torchrun sets them; or no WORLD_SIZE",
                          variable));
}

int64_t number(const char* variable, int64_t least, int64_t most) {
  const std::string text = word(variable);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (is_number && value >= least && value <= most) return value;
  throw Error(
      ErrorKind::config,
      fmt::format("{} = {}: accepted: a number from {} to {}", variable, text, least, most));
}

}  // namespace

Place place_from_environment() {
  Place place;
  place.size = number("WORLD_SIZE", 1, 1 << 20);
  place.rank = number("RANK", 0, place.size - 1);
  place.local_size = number("LOCAL_WORLD_SIZE", 1, place.size);
  place.local_rank = number("LOCAL_RANK", 0, place.local_size - 1);
  place.address = word("MASTER_ADDR");
  place.port = static_cast<uint16_t>(number("MASTER_PORT", 1, 65535));
  const char* served = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  place.is_served = served != nullptr && std::string(served) == "True";
  if (is_set("TORCHELASTIC_RESTART_COUNT")) place.attempt = word("TORCHELASTIC_RESTART_COUNT");
  return place;
}

bool has_others() {
  return pytorch_tells_of_others() || mpi_tells_of_others();
}

std::unique_ptr<Group> join_ranks() {
  // NCCL then has no thread that ends the process by itself: patience is ours. Set before an engine
  // has threads, which might read it.
  if (has_others()) setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 1);
  if (pytorch_tells_of_others()) return measured(with_nccl(join_gloo(place_from_environment())));
  if (mpi_tells_of_others()) return measured(with_nccl(join_mpi()));
  return std::make_unique<Group>();
}

void say_end(const Group& group, const std::string& why) {
  be_silent(false);
  say(
      fmt::format("apo-train: error: rank {} of {} {}; the same command with --resume goes on from "
                  "the last checkpoint\n",
                  group.rank(),
                  group.size(),
                  why));
}

std::string has_waited(double seconds) {
  return fmt::format("has waited {:g} seconds for the others, of which one is gone or stands still",
                     seconds);
}

}  // namespace apo
