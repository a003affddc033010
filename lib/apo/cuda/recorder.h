// CUDA graphs. A build without CUDA has none.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "apo/base/replay.h"

namespace apo {

/// Records what is issued to `device` as CUDA graphs; nullptr where the device is no GPU or the
/// build has no CUDA. `warn` is told of work that could not be recorded, and why.
std::shared_ptr<Recorder> make_cuda_recorder(at::Device device,
                                             std::function<void(const std::string&)> warn);

}  // namespace apo
