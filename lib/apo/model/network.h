// A network z = f(x, θ), whoever wrote it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/guards.h"
#include "apo/base/tensors.h"

namespace apo {

/// Tensors that have names, which are module paths.
struct NamedTensors {
  TensorList tensors;
  std::vector<std::string> names;
};

class Network {
 public:
  virtual ~Network() = default;

  /// θ: leaves that require gradients, whose storage the caller may exchange.
  TensorList& parameters() { return parameters_.tensors; }
  const std::vector<std::string>& parameter_names() const { return parameters_.names; }
  /// What f depends on beside θ: BatchNorm's statistics, which passes in training mode move, and
  /// whatever is frozen.
  TensorList& buffers() { return buffers_.tensors; }
  const std::vector<std::string>& buffer_names() const { return buffers_.names; }

  /// z = f(x, θ): [B, …, outputs]. Notes its layers where a TapScope is open (model/taps.h).
  virtual Tensor forward(const Tensor& x) = 0;
  /// f(x, θ) and f(x̃, θ): in one pass where no example's output depends on the others.
  virtual std::pair<Tensor, Tensor> forward_both(const Tensor& x, const Tensor& x_tilde) {
    Tensor z = forward(x);
    return {std::move(z), forward(x_tilde)};
  }
  /// Calls `passes`, which are forward passes, and leaves in the buffers the plain means of the
  /// batch statistics that these saw, whatever they held before. A network that keeps other things
  /// there overrides it, or has in them what passes in training mode leave.
  virtual void gather_statistics(const std::function<void()>& passes) { passes(); }
  /// To training mode, in which it begins, or to that of evaluation.
  virtual void train(bool) {}
  /// Whether forward passes draw random numbers, as dropout does in training mode.
  virtual bool draws() const { return false; }
  /// From now on each forward pass draws the same numbers, which depend on `seed` alone: f(x̃, θ′)
  /// and f(x̃, θ) have the same mask.
  virtual void draw_from(uint64_t /*seed*/) {}

 protected:
  explicit Network(NamedTensors parameters, NamedTensors buffers = {})
      : parameters_(std::move(parameters)), buffers_(std::move(buffers)) {}

 private:
  NamedTensors parameters_;
  NamedTensors buffers_;
};

/// The network in evaluation mode while it lives.
class EvaluationMode {
 public:
  explicit EvaluationMode(Network& network) : network_(network) { network_.train(false); }
  ~EvaluationMode() { network_.train(true); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  Network& network_;
};

/// Whatever forward passes do to the buffers is undone when the result ends.
inline SwapGuard kept_buffers(Network& network) {
  return {network.buffers(), clone(network.buffers())};
}

/// The layer of each parameter: a layer is a module with parameters. Returns layer numbers in order
/// of first appearance, one per name, and fills `layers` with the modules' paths.
std::vector<int64_t> layers_of(const std::vector<std::string>& parameter_names,
                               std::vector<std::string>& layers);

}  // namespace apo
