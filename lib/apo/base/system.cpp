#include "apo/base/system.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>

namespace apo {
namespace {

/// Processors granted by the control group (version 2, then 1); infinity without a quota.
double quota() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string limit;
  double period = 0;
  if (v2 >> limit >> period && limit != "max" && period > 0) return std::stod(limit) / period;
  double quota = -1;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  if (quota > 0 && period > 0) return quota / period;
  return std::numeric_limits<double>::infinity();
}

/// Bytes of memory and swap, bounded by the control group's limit (version 2, then 1).
size_t usable_memory() {
  struct sysinfo machine {};
  if (sysinfo(&machine) != 0) return std::numeric_limits<size_t>::max();
  size_t bytes = (machine.totalram + machine.totalswap) * machine.mem_unit;
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    size_t limit = 0;
    if (std::ifstream(file) >> limit) bytes = std::min(bytes, limit);
  }
  return bytes;
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
  const double cores = std::min<double>(known ? CPU_COUNT(&mask) : 1, std::ceil(quota()));
  return std::max(1, static_cast<int>(cores));
}

int64_t threads_of_job(int64_t threads, int64_t jobs) {
  return std::max<int64_t>(1, threads / jobs);
}

void refuse_more_than_memory() {
  static BoundedAllocator allocator;
  c10::SetCPUAllocator(&allocator);
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
