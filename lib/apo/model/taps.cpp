#include "apo/model/taps.h"

namespace apo {
namespace {

thread_local TapScope* open_scope = nullptr;

std::vector<int64_t> to_vector(const torch::ExpandingArray<2>& pair) {
  return {pair->begin(), pair->end()};
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
  Tensor z = layer->forward(x);
  if (open_scope != nullptr)
    open_scope->add({layer->weight, layer->bias, x.detach(), z, {}, {}, {}});
  return z;
}

Tensor tapped(torch::nn::Conv2d& layer, const Tensor& x) {
  Tensor z = layer->forward(x);
  if (open_scope == nullptr) return z;
  const auto& options = layer->options;
  const auto* padding = std::get_if<torch::ExpandingArray<2>>(&options.padding());
  TORCH_CHECK(padding != nullptr && options.groups() == 1, "taps know numeric padding, one group");
  open_scope->add({layer->weight,
                   layer->bias,
                   x.detach(),
                   z,
                   to_vector(options.stride()),
                   to_vector(*padding),
                   to_vector(options.dilation())});
  return z;
}

}  // namespace apo
