// What the machine and the operating system grant this process.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace apo {

/// Processors this process may use: the affinity mask, bounded by the control groups' quotas. At
/// least 1.
int usable_cores();

/// What is to be said of more threads than cores, a line; "" otherwise.
std::string warning_of_threads(int64_t threads, int64_t cores);

/// The threads of each of `jobs` that run at a time: an equal share of `threads`, at least 1.
int64_t threads_of_job(int64_t threads, int64_t jobs);

/// From now on a tensor on the CPU that is larger than all the memory which this process may have
/// is refused with LibTorch's error, not promised and the process killed when it is filled. Changes
/// LibTorch's allocator.
void refuse_more_than_memory();

/// The memory there is, in bytes: of the machine, bounded by the control groups' limits, or on the
/// device.
int64_t memory_bytes(c10::Device device);

/// The most memory so far, in bytes: of the process on the CPU, on a GPU what LibTorch has reserved
/// there.
int64_t peak_memory_bytes(c10::Device device);

}  // namespace apo
