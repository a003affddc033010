#include "apo/base/system.h"

#include <ATen/Context.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apo/base/cgroup.h"

namespace apo {
namespace {

/// Bytes of memory and swap, bounded by the control groups' limits.
size_t usable_memory() {
  struct sysinfo machine {};
  if (sysinfo(&machine) != 0) return std::numeric_limits<size_t>::max();
  const size_t bytes = (machine.totalram + machine.totalswap) * machine.mem_unit;
  const double limit = group_limits().memory_bytes;
  return limit < static_cast<double>(bytes) ? static_cast<size_t>(limit) : bytes;
}

/// LibTorch's own allocator, for no more than there is.
class BoundedAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    TORCH_CHECK(bytes <= limit_, "not enough memory: you tried to allocate ", bytes, " bytes.");
    return own_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return own_->raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    own_->copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* own_ = c10::GetDefaultCPUAllocator();
  size_t limit_ = usable_memory();
};

}  // namespace

int usable_cores() {
  cpu_set_t mask;
  const bool known = sched_getaffinity(0, sizeof(mask), &mask) == 0;
  const double cores =
      std::min<double>(known ? CPU_COUNT(&mask) : 1, std::ceil(group_limits().cores));
  return std::max(1, static_cast<int>(cores));
}

std::string warning_of_threads(int64_t threads, int64_t cores) {
  if (threads <= cores) return "";
  return fmt::format(
      "warning: threads = {}, and this process may use {} core{}: the threads wait for each other "
      "and all takes longer, 19 times with 512 on 2 cores; threads = 0 takes what there is\n",
      threads,
      cores,
      cores == 1 ? "" : "s");
}

int64_t threads_of_job(int64_t threads, int64_t jobs) {
  return std::max<int64_t>(1, threads / jobs);
}

void refuse_more_than_memory() {
  static BoundedAllocator allocator;
  c10::SetCPUAllocator(&allocator);
}

int64_t memory_bytes(c10::Device device) {
  if (device.is_cuda()) {
    at::globalContext().lazyInitDevice(device.type());
    const auto [free, total] =
        c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
    return static_cast<int64_t>(total);
  }
  struct sysinfo machine {};
  if (sysinfo(&machine) != 0) return std::numeric_limits<int64_t>::max();
  const double bytes = static_cast<double>(machine.totalram) * machine.mem_unit;
  return static_cast<int64_t>(std::min(bytes, group_limits().memory_bytes));
}

int64_t peak_memory_bytes(c10::Device device) {
  if (device.is_cuda()) {
    const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    return stats.reserved_bytes[0].peak;  // [0]: of all pools
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace apo
