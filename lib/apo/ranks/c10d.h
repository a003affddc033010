// What ranks over Gloo and over NCCL share of c10d, LibTorch's part for several processes.
#pragma once

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace apo {

/// How long ranks wait for one another before they have met.
constexpr std::chrono::minutes kMeeting{5};

/// What ranks tell one another before they have connections. port 0: any that is free.
inline c10::intrusive_ptr<c10d::TCPStore> make_store(const std::string& address,
                                                     uint16_t port,
                                                     bool serves) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = kMeeting;
  return c10::make_intrusive<c10d::TCPStore>(address, options);
}

/// c10d logs what it throws, too, with stack traces. TORCH_CPP_LOG_LEVEL has it all.
inline void be_silent_about_c10d() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") != nullptr) {
    c10::initLogging();
  } else {
    FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  }
}

}  // namespace apo
