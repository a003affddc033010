// What the control groups that this process is in grant it.
#pragma once

#include <filesystem>
#include <limits>

namespace apo {

struct GroupLimits {
  double cores = std::numeric_limits<double>::infinity();
  double memory_bytes = std::numeric_limits<double>::infinity();
};

/// The smallest limits of our own groups and of all above them, as far as they can be seen: a batch
/// system sets them several levels below the root. Versions 1 and 2. `root` is where proc/ and the
/// mounts are, for tests.
GroupLimits group_limits(const std::filesystem::path& root = "/");

}  // namespace apo
