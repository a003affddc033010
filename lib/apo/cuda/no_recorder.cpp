// For builds without CUDA.
#include "apo/cuda/recorder.h"

namespace apo {

std::shared_ptr<Recorder> make_cuda_recorder(at::Device, std::function<void(const std::string&)>) {
  return nullptr;
}

}  // namespace apo
