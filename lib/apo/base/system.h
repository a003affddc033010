// What the machine and the operating system grant this process.
#pragma once

#include <cstdint>

namespace apo {

/// Processors this process may use: the affinity mask, bounded by the control group's quota. At
/// least 1.
int usable_cores();

/// The largest resident size so far, in bytes.
int64_t peak_memory_bytes();

}  // namespace apo
