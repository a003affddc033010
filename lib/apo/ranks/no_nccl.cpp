// For builds without CUDA.
#include "apo/ranks/ranks.h"

namespace apo {

std::unique_ptr<Group> with_nccl(std::unique_ptr<Group> group) {
  return group;
}

std::string nccl_version() {
  return "none";
}

}  // namespace apo
