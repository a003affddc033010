// How ranks come together: whoever started them tells each by the environment that there are
// others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "apo/base/group.h"
#include "apo/base/patience.h"

namespace apo {

/// Whether this process was started as one of several ranks.
bool has_others();

/// Of the processes that torchrun, mpirun or srun started together with this one, or of whom
/// PyTorch's variables tell; of one rank where it was started alone. To be called once. Throws
/// Error(config) where there are others and this build has no engine for them, Error(output) where
/// they do not come.
std::unique_ptr<Group> join_ranks();

/// The same group, which counts what it is asked for.
std::unique_ptr<Group> measured(std::unique_ptr<Group> group);

/// MPI's. Pre: MPI started this process.
std::unique_ptr<Group> join_mpi();

/// Where this process stands among the others, in the words of PyTorch's variables.
struct Place {
  int64_t rank = 0;
  int64_t size = 1;
  int64_t local_rank = 0;
  int64_t local_size = 1;
  std::string address;  ///< of the machine where they meet
  uint16_t port = 0;
  bool is_served = false;     ///< torchrun listens there; else rank 0 does
  std::string attempt = "0";  ///< how often torchrun has started them again
};

/// Of RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Throws
/// Error(config).
/// Source: torch/distributed/rendezvous.py, env://.
Place place_from_environment();

/// Gloo's, a part of LibTorch: on CPUs, over TCP.
std::unique_ptr<Group> join_gloo(const Place& place);

/// The same ranks; where each has a GPU of its own, what lies there is summed over NCCL and does
/// not go through the host.
std::unique_ptr<Group> with_nccl(std::unique_ptr<Group> group);

/// Says why this rank ends all; it `has_waited(600)`.
void say_end(const Group& group, const std::string& why);
std::string has_waited(double seconds);

/// What this build has of each: "Open MPI v4.1.4", "of LibTorch", "2.28.9"; or "none".
std::string mpi_version();
std::string gloo_version();
std::string nccl_version();

}  // namespace apo
