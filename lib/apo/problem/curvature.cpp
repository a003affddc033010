#include "apo/problem/curvature.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/autograd.h>

#include "apo/model/taps.h"

namespace apo {
namespace {

/// What the layer reads, one column per example and visited position: [in, B · T′].
Tensor input_columns(const LayerTap& tap, int64_t position_stride) {
  if (!tap.is_convolution()) return tap.inputs.flatten(0, -2).t();
  std::vector<int64_t> stride = tap.stride;
  for (int64_t& along_axis : stride) along_axis *= position_stride;
  const Tensor patches = at::im2col(tap.inputs,
                                    tap.weight.sizes().slice(2),
                                    tap.dilation,
                                    tap.padding,
                                    stride);  // [B, in, T′]
  return patches.transpose(0, 1).flatten(1);
}

/// [out, B · T].
Tensor output_columns(const LayerTap& tap, const Tensor& gradient) {
  return tap.is_convolution() ? gradient.transpose(0, 1).flatten(1) : gradient.flatten(0, -2).t();
}

/// scale · Σ a aᵀ over the columns, with a 1 behind each a where `with_one`.
Tensor sum_of_squares(Tensor columns, bool with_one, double scale) {
  if (with_one) {
    columns = at::cat({columns, at::ones({1, columns.size(1)}, columns.options())});
  }
  return at::matmul(columns * scale, columns.t());
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
                                        const TensorList& parameters,
                                        int64_t position_stride) {
  TensorList outputs;
  for (const LayerTap& tap : taps) outputs.push_back(tap.outputs);
  const TensorList gradients = torch::autograd::grad({loss}, outputs);

  const at::NoGradGuard no_grad;
  std::vector<LayerMoments> moments;
  for (size_t i = 0; i < taps.size(); ++i) {
    const LayerTap& tap = taps[i];
    // A position of a sequence counts as an example, as in its loss.
    const int64_t channels = tap.is_convolution() ? tap.outputs.size(1) : tap.outputs.size(-1);
    const int64_t all = tap.outputs.numel() / channels;
    const auto examples = static_cast<double>(tap.is_convolution() ? tap.inputs.size(0) : all);
    const double positions = static_cast<double>(all) / examples;
    LayerMoments of_layer;
    of_layer.weight = position_of(tap.weight, parameters);
    if (tap.bias.defined()) of_layer.bias = position_of(tap.bias, parameters);
    const auto type = tap.weight.scalar_type();  // whatever the forward pass had
    const Tensor columns = input_columns(tap, position_stride).to(type);
    of_layer.inputs = sum_of_squares(
        columns, tap.bias.defined(), positions / static_cast<double>(columns.size(1)));
    // The batch mean divides each example's gradient by B, its square by B².
    of_layer.output_gradients =
        sum_of_squares(output_columns(tap, gradients[i]).to(type), false, examples / positions);
    moments.push_back(std::move(of_layer));
  }
  return moments;
}

}  // namespace apo
