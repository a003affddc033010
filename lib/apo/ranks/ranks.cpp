#include "apo/ranks/ranks.h"

#include <cstdlib>
#include <string>

#include "apo/base/error.h"

namespace apo {
namespace {

bool says_more_than_one(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::atol(value) > 1;
}

/// Open MPI's mpirun, and what srun has of PMI and PMIx.
bool mpi_tells_of_others() {
  return says_more_than_one("OMPI_COMM_WORLD_SIZE") || says_more_than_one("PMI_SIZE") ||
         (std::getenv("PMIX_RANK") != nullptr && says_more_than_one("SLURM_NTASKS"));
}

}  // namespace

bool has_others() {
  return mpi_tells_of_others();
}

std::unique_ptr<Group> join_ranks() {
  if (mpi_tells_of_others()) return measured(join_mpi());
  if (says_more_than_one("WORLD_SIZE") && std::getenv("TORCHELASTIC_RUN_ID") != nullptr) {
    throw Error(ErrorKind::config,
                "torchrun: its ranks would meet over NCCL or Gloo, which this build has not; "
                "accepted: mpirun -n N apo-train …, or srun --mpi=pmix apo-train …");
  }
  return std::make_unique<Group>();
}

}  // namespace apo
