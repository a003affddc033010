#include "apo/problem/curvature.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/matmul.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/model/taps.h"

namespace apo {
namespace {

/// What the layer reads, one column per example and position: [in, B · T].
Tensor input_columns(const LayerTap& tap) {
  if (!tap.is_convolution()) return tap.inputs.t();
  const Tensor patches = at::im2col(tap.inputs,
                                    tap.weight.sizes().slice(2),
                                    tap.dilation,
                                    tap.padding,
                                    tap.stride);  // [B, in, T]
  return patches.transpose(0, 1).flatten(1);
}

/// [out, B · T].
Tensor output_columns(const LayerTap& tap, const Tensor& gradient) {
  return tap.is_convolution() ? gradient.transpose(0, 1).flatten(1) : gradient.t();
}

/// Σ a aᵀ over the columns, with a 1 behind each a where `with_one`.
Tensor sum_of_squares(const Tensor& columns, bool with_one) {
  const Tensor squares = at::matmul(columns, columns.t());
  if (!with_one) return squares;
  const Tensor sums = columns.sum(1, /*keepdim=*/true);
  const Tensor count = at::full({1, 1}, static_cast<double>(columns.size(1)), squares.options());
  return at::cat({at::cat({squares, sums}, 1), at::cat({sums.t(), count}, 1)}, 0);
}

size_t position_of(const Tensor& parameter, const TensorList& parameters) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].is_same(parameter)) return i;
  }
  throw std::logic_error("a tapped layer's weight is not among the parameters");
}

}  // namespace

std::vector<LayerMoments> layer_moments(const std::vector<LayerTap>& taps,
                                        const Tensor& loss,
                                        const TensorList& parameters) {
  TensorList outputs;
  for (const LayerTap& tap : taps) outputs.push_back(tap.outputs);
  const TensorList gradients = torch::autograd::grad({loss}, outputs);

  const at::NoGradGuard no_grad;
  std::vector<LayerMoments> moments;
  for (size_t i = 0; i < taps.size(); ++i) {
    const LayerTap& tap = taps[i];
    const auto examples = static_cast<double>(tap.inputs.size(0));
    const double positions = static_cast<double>(tap.outputs.numel()) /
                             (examples * static_cast<double>(tap.outputs.size(1)));
    LayerMoments of_layer;
    of_layer.weight = position_of(tap.weight, parameters);
    if (tap.bias.defined()) of_layer.bias = position_of(tap.bias, parameters);
    of_layer.inputs = sum_of_squares(input_columns(tap), tap.bias.defined()) / examples;
    // The batch mean divides each example's gradient by B, its square by B².
    of_layer.output_gradients =
        sum_of_squares(output_columns(tap, gradients[i]), false) * (examples / positions);
    moments.push_back(std::move(of_layer));
  }
  return moments;
}

}  // namespace apo
