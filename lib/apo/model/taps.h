// Taps: what the layers of a network read and gave in a forward pass, for rules that estimate
// curvature.
#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// A linear layer: inputs [B, …, in], outputs [B, …, out]. A convolution: inputs [B, in, H, W],
/// outputs [B, out, H′, W′]; it has a geometry.
struct LayerTap {
  Tensor weight;
  Tensor bias;  ///< undefined where the layer has none that trains
  Tensor inputs;
  Tensor outputs;  ///< in the graph
  std::vector<int64_t> stride, padding, dilation;

  bool is_convolution() const { return !stride.empty(); }
};

/// Collects the taps of all forward passes on this thread while it exists.
class TapScope {
 public:
  TapScope();
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;

  /// The innermost of this thread, or nullptr. Layers that are no modules add their taps to it.
  static TapScope* open();

  const std::vector<LayerTap>& taps() const { return taps_; }
  void add(LayerTap tap) { taps_.push_back(std::move(tap)); }

 private:
  TapScope* outer_;
  std::vector<LayerTap> taps_;
};

/// layer->forward(x), noted by the TapScope that is open, if one is and the layer's weight trains.
/// Models call their layers so.
Tensor tapped(torch::nn::Linear& layer, const Tensor& x);
Tensor tapped(torch::nn::Conv2d& layer, const Tensor& x);

}  // namespace apo
