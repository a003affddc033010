#include "apo/cuda/recorder.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

namespace apo {
namespace {

using c10::cuda::CUDAStream;

class Graph : public Recording {
 public:
  /// Memory for what `work` allocates is of `pool`.
  Graph(at::cuda::MempoolId_t pool, const std::function<void()>& work) {
    graph_.capture_begin(pool);
    try {
      work();
    } catch (...) {
      leave_capture();
      throw;
    }
    graph_.capture_end();
  }
  void replay() override { graph_.replay(); }

 private:
  /// What cannot be recorded has spoilt the capture, which says so when it ends.
  void leave_capture() {
    try {
      graph_.capture_end();
    } catch (const c10::Error&) {
    }
  }

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
      : warn_(std::move(warn)),
        stream_(c10::cuda::getStreamFromPool(false, device.index())),
        pool_(at::cuda::graph_pool_handle()) {}

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    stream_.synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();  // for the graph's own pool
    try {
      return std::make_unique<Graph>(pool_, work);
    } catch (const std::exception& error) {
      const std::string message = error.what();
      warn_("goes on without CUDA graphs, for a part of the step could not be recorded: " +
            message.substr(0, message.find('\n')));
      return nullptr;
    }
  }

  std::shared_ptr<void> enter() override { return std::make_shared<OnStream>(stream_); }

 private:
  std::function<void(const std::string&)> warn_;
  CUDAStream stream_;
  at::cuda::MempoolId_t pool_;
};

}  // namespace

std::shared_ptr<Recorder> make_cuda_recorder(at::Device device,
                                             std::function<void(const std::string&)> warn) {
  if (!device.is_cuda()) return nullptr;
  return std::make_shared<GraphRecorder>(device, std::move(warn));
}

}  // namespace apo
