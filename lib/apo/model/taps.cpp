#include "apo/model/taps.h"

#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/linear.h>

namespace apo {
namespace {

thread_local TapScope* open_scope = nullptr;

std::vector<int64_t> to_vector(const torch::ExpandingArray<2>& pair) {
  return {pair->begin(), pair->end()};
}

/// layer(x). Differentiated forwards, a first layer's x has no tangent: LibTorch would multiply
/// zeros in its place, which for an MLP is a third of the cost.
Tensor forward(torch::nn::Linear& layer, const Tensor& x) {
  const bool only_weights = layer->weight._fw_grad(0).defined() && !x._fw_grad(0).defined();
  if (!only_weights) return layer->forward(x);
  const auto [weight, weight_tangent] = at::_unpack_dual(layer->weight, 0);
  const auto [bias, bias_tangent] =
      layer->bias.defined() ? at::_unpack_dual(layer->bias, 0) : std::tuple<Tensor, Tensor>();
  return at::_make_dual(
      at::linear(x, weight, bias), at::linear(x, weight_tangent, bias_tangent), 0);
}

/// What is trained of a layer, for a TapScope: of a frozen bias it knows nothing.
Tensor trained(const Tensor& bias) {
  return bias.defined() && bias.requires_grad() ? bias : Tensor();
}

/// Whether a pass notes this layer.
bool is_noted(const Tensor& weight) {
  return open_scope != nullptr && weight.requires_grad();
}

}  // namespace

TapScope::TapScope() : outer_(open_scope) {
  open_scope = this;
}

TapScope::~TapScope() {
  open_scope = outer_;
}

TapScope* TapScope::open() {
  return open_scope;
}

Tensor tapped(torch::nn::Linear& layer, const Tensor& x) {
  Tensor z = forward(layer, x);
  if (is_noted(layer->weight)) {
    open_scope->add({layer->weight, trained(layer->bias), x.detach(), z, {}, {}, {}});
  }
  return z;
}

Tensor tapped(torch::nn::Conv2d& layer, const Tensor& x) {
  Tensor z = layer->forward(x);
  if (!is_noted(layer->weight)) return z;
  const auto& options = layer->options;
  const auto* padding = std::get_if<torch::ExpandingArray<2>>(&options.padding());
  TORCH_CHECK(padding != nullptr && options.groups() == 1, "taps know numeric padding, one group");
  open_scope->add({layer->weight,
                   trained(layer->bias),
                   x.detach(),
                   z,
                   to_vector(options.stride()),
                   to_vector(*padding),
                   to_vector(options.dilation())});
  return z;
}

}  // namespace apo
