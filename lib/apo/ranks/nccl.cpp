#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

// As LibTorch was built; its header asks for it.
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/explain.h"
#include "apo/ranks/c10d.h"
#include "apo/ranks/ranks.h"

namespace apo {
namespace {

using Work = c10::intrusive_ptr<c10d::Work>;

/// The GPU that this rank takes (resolve_device).
c10::DeviceIndex own_gpu(const Group& group) {
  return static_cast<c10::DeviceIndex>(group.local_rank() % at::getNumGPUs());
}

/// Its name, the same in all processes; "" where there is none.
std::string own_gpu_name(const Group& group) {
  if (!at::hasCUDA()) return "";
  const auto& bytes = at::cuda::getDeviceProperties(own_gpu(group))->uuid.bytes;
  return fmt::format("{:02x}",
                     fmt::join(reinterpret_cast<const unsigned char*>(std::begin(bytes)),
                               reinterpret_cast<const unsigned char*>(std::end(bytes)),
                               ""));
}

/// Where the others find rank 0.
std::string own_address() {
  if (const char* address = std::getenv("MASTER_ADDR")) return address;
  std::string name(HOST_NAME_MAX, '\0');
  gethostname(name.data(), name.size());
  return name.c_str();
}

/// Rank 0 opens a store on a free port, where NCCL's ranks exchange what they connect by.
c10::intrusive_ptr<c10d::Store> meet(Group& group) {
  c10::intrusive_ptr<c10d::TCPStore> store;
  if (group.leads()) store = make_store(own_address(), 0, true);
  const std::string place =
      group.gather(store ? fmt::format("{} {}", store->getHost(), store->getPort()) : "").front();
  if (store) return store;
  const size_t space = place.find(' ');
  return make_store(
      place.substr(0, space), static_cast<uint16_t>(std::stoi(place.substr(space))), false);
}

c10::intrusive_ptr<c10d::ProcessGroupNCCL> connect(Group& group) {
  be_silent_about_c10d();
  try {
    auto made = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        meet(group), static_cast<int>(group.rank()), static_cast<int>(group.size()));
    // At once, and not in the first backward pass, where others may not be for a long time.
    made->eagerConnectSingleDevice(at::Device(at::kCUDA, own_gpu(group)));
    return made;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::output, "NCCL: " + first_line(error.what()));
  }
}

/// Sums over NCCL what lies on GPUs; the rest is the host's group's.
class NcclGroup : public Group {
 public:
  explicit NcclGroup(std::unique_ptr<Group> host)
      : host_(std::move(host)), nccl_(connect(*host_)) {}
  ~NcclGroup() override {
    try {
      nccl_->shutdown();
    } catch (const std::exception&) {  // the others have left
    }
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  int64_t rank() const override { return host_->rank(); }
  int64_t size() const override { return host_->size(); }
  int64_t local_rank() const override { return host_->local_rank(); }
  int64_t local_size() const override { return host_->local_size(); }

  /// As PyTorch's DistributedDataParallel has it: a message to 64 ranks and back takes as long as
  /// some megabytes.
  int64_t bucket_bytes() const override { return 25 << 20; }
  /// NCCL works on a stream of its own, behind what the current one has to do.
  void begin_sum(Tensor& t) override {
    if (!t.is_cuda()) return host_->begin_sum(t);
    TensorList tensors = {t};
    sums_.push_back(nccl_->allreduce(tensors));
  }
  void push() override { host_->push(); }
  void finish_sums() override {
    host_->finish_sums();
    for (const Work& sum : sums_) wait(*sum);
    sums_.clear();
  }

  int64_t max(int64_t value) override { return host_->max(value); }
  std::vector<std::string> gather(const std::string& word) override { return host_->gather(word); }
  void set_patience(double seconds) override {
    patience_ = std::chrono::duration<double>(seconds);
    host_->set_patience(seconds);
  }
  void abort(int exit_code) override { host_->abort(exit_code); }

 private:
  /// Until the sum is there, so that no later word to the device waits for a rank that is gone.
  void wait(c10d::Work& sum) {
    Waiting waiting;
    while (!sum.isCompleted()) {
      sched_yield();
      if (waiting.exceeds(patience_)) give_up(has_waited(patience_.count()));
    }
    if (sum.exception()) give_up("has lost its connection to another over NCCL");
    sum.synchronize();
  }

  [[noreturn]] void give_up(const std::string& why) {
    say_end(*this, why);
    abort(1);
    std::_Exit(1);
  }

  std::unique_ptr<Group> host_;
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;
  std::chrono::duration<double> patience_ = kMeeting;
  std::vector<Work> sums_;
};

}  // namespace

std::unique_ptr<Group> with_nccl(std::unique_ptr<Group> group) {
  const std::vector<std::string> gpus = group->gather(own_gpu_name(*group));
  const std::set<std::string> different(gpus.begin(), gpus.end());
  const bool each_has_one = different.size() == gpus.size() && !different.contains("");
  if (!each_has_one) return group;
  return std::make_unique<NcclGroup>(std::move(group));
}

std::string nccl_version() {
  return c10d::getNcclVersion();
}

}  // namespace apo
