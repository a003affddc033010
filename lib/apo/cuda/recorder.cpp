#include "apo/cuda/recorder.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "apo/base/explain.h"

namespace apo {
namespace {

using c10::cuda::CUDAStream;

/// Memory that graphs share. LibTorch gives a pool up with the last graph of it: its name does not
/// serve again.
struct Pool {
  at::cuda::MempoolId_t id = at::cuda::graph_pool_handle();
};

class Graph : public Recording {
 public:
  Graph(std::shared_ptr<Pool> pool, const std::function<void()>& work) : pool_(std::move(pool)) {
    try {
      graph_.capture_begin(pool_->id);
      work();
      graph_.capture_end();
    } catch (...) {
      leave_capture();
      throw;
    }
  }
  void replay() override { graph_.replay(); }

 private:
  /// A capture that was spoilt fails to end, and the allocator then stays in it.
  void leave_capture() {
    try {
      graph_.capture_end();
    } catch (const c10::Error&) {
    }
    try {
      const c10::DeviceIndex device = c10::cuda::current_device();
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool_->id);
    } catch (const c10::Error&) {  // it has left
    }
  }

  std::shared_ptr<Pool> pool_;
  at::cuda::CUDAGraph graph_;
};

/// Makes a stream and its device the thread's own. Work before and after on the other waits.
class OnStream {
 public:
  explicit OnStream(CUDAStream stream)
      : stream_(stream),
        device_before_(c10::cuda::ExchangeDevice(stream.device_index())),
        before_(c10::cuda::getCurrentCUDAStream()) {
    before_.synchronize();
    c10::cuda::setCurrentCUDAStream(stream_);
  }
  ~OnStream() {
    try {
      stream_.synchronize();
    } catch (const c10::Error&) {  // a lost device has been told of already
    }
    c10::cuda::setCurrentCUDAStream(before_);
    c10::cuda::ExchangeDevice(device_before_);
  }
  OnStream(const OnStream&) = delete;
  OnStream& operator=(const OnStream&) = delete;

 private:
  CUDAStream stream_;
  c10::DeviceIndex device_before_;
  CUDAStream before_;
};

class GraphRecorder : public Recorder {
 public:
  GraphRecorder(at::Device device, std::function<void(const std::string&)> warn)
      : warn_(std::move(warn)), stream_(c10::cuda::getStreamFromPool(false, device.index())) {}

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    if (refused_) return nullptr;
    stream_.synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();  // for the graph's own pool
    auto pool = pool_.lock();
    if (!pool) pool_ = pool = std::make_shared<Pool>();
    try {
      return std::make_unique<Graph>(pool, work);
    } catch (const std::exception& error) {
      refused_ = true;
      warn_("goes on without CUDA graphs, for a part of the step could not be recorded: " +
            first_line(error.what()));
      return nullptr;
    }
  }

  std::shared_ptr<void> enter() override { return std::make_shared<OnStream>(stream_); }

 private:
  std::function<void(const std::string&)> warn_;
  CUDAStream stream_;
  std::weak_ptr<Pool> pool_;
  bool refused_ = false;  ///< LibTorch's allocators may not be as before
};

}  // namespace

std::shared_ptr<Recorder> make_cuda_recorder(at::Device device,
                                             std::function<void(const std::string&)> warn) {
  if (!device.is_cuda()) return nullptr;
  return std::make_shared<GraphRecorder>(device, std::move(warn));
}

}  // namespace apo
