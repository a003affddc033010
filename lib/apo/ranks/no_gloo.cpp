// In a build without Gloo's headers.
#include "apo/base/error.h"
#include "apo/ranks/ranks.h"

namespace apo {

std::unique_ptr<Group> join_gloo(const Place&) {
  throw Error(ErrorKind::config,
              "WORLD_SIZE tells of several ranks, as torchrun starts them, and this build has no "
              "Gloo; accepted: one process, mpirun, or a build beside Gloo's headers (apt-get "
              "install libgloo-dev, then scripts/build.sh)");
}

std::string gloo_version() {
  return "none";
}

}  // namespace apo
