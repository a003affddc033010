// A module of LibTorch as a network.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apo/model/network.h"

namespace torch::nn {
class Module;
}

namespace apo {

class Group;

/// How numbers are held in training. bfloat16: forward passes under autocast, parameters and
/// outputs in float32.
enum class Precision { float32, tf32, bfloat16, float64 };

/// Of parameters and outputs.
at::ScalarType dtype_of(Precision precision);

struct NetworkOptions {
  at::Device device = at::kCPU;
  Precision precision = Precision::float32;
  bool draws = false;  ///< its forward passes draw random numbers, from LibTorch's own generators
  /// Patterns of what stays as it is (model/freeze.h). Parameters that are chosen are none of θ but
  /// buffers, which nothing moves. A module whose buffers are chosen is always in evaluation mode:
  /// BatchNorm then normalises by them.
  std::vector<std::string> frozen = {};
  /// Those who normalise a batch together, where they are several: BatchNorm of all their parts.
  /// It must outlive the network. None: each by its own part.
  Group* batch_norm = nullptr;
};

/// A module that gathers the statistics of its parts itself: see Network::gather_statistics. Those
/// in evaluation mode keep theirs. Afterwards it is in whatever mode.
class GathersStatistics {
 public:
  virtual ~GathersStatistics() = default;
  virtual void gather_statistics(const std::function<void()>& passes) = 0;
};

/// Moves the module to the device and the precision, and lays out its filters as its convolutions
/// want them. `forward` calls it. Throws Error(config) where `frozen` names what is not there, or
/// leaves nothing to train, and where ranks cannot normalise together what the module has.
std::unique_ptr<Network> network_of(std::shared_ptr<torch::nn::Module> module,
                                    std::function<Tensor(const Tensor& x)> forward,
                                    const NetworkOptions& options);

/// Of any module with `Tensor forward(const Tensor&)`: network_of(std::make_shared<Mine>()), or
/// network_of(holder.ptr()). One with dropout has `bool draws() const`, too.
template <class Module>
std::unique_ptr<Network> network_of(std::shared_ptr<Module> module, NetworkOptions options = {}) {
  Module& own = *module;
  if constexpr (requires { own.draws(); }) options.draws = own.draws();
  return network_of(
      std::move(module), [&own](const Tensor& x) { return own.forward(x); }, options);
}

}  // namespace apo
