// How ranks come together: whoever started them tells each by the environment that there are
// others.
#pragma once

#include <memory>
#include <string>

#include "apo/base/group.h"

namespace apo {

/// Whether this process was started as one of several ranks.
bool has_others();

/// Of the processes that mpirun or srun started together with this one; of one rank where it was
/// started alone. To be called once. Throws Error(config) where there are others and this build, or
/// what started them, has no engine for them.
std::unique_ptr<Group> join_ranks();

/// The same group, which counts what it is asked for.
std::unique_ptr<Group> measured(std::unique_ptr<Group> group);

/// MPI's. Pre: MPI started this process.
std::unique_ptr<Group> join_mpi();

/// Of the MPI that this build has: "Open MPI v4.1.4"; "none".
std::string mpi_version();

}  // namespace apo
