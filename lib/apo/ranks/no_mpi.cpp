// In a build without MPI.
#include "apo/base/error.h"
#include "apo/ranks/ranks.h"

namespace apo {

std::unique_ptr<Group> join_mpi() {
  throw Error(ErrorKind::config,
              "mpirun started several ranks, and this build has no MPI; accepted: one process, "
              "torchrun --no-python --nproc-per-node N apo-train …, or a build beside MPI (apt-get "
              "install libopenmpi-dev, then scripts/build.sh)");
}

std::string mpi_version() {
  return "none";
}

}  // namespace apo
