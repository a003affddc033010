// Layers that normalise.
#include <fmt/format.h>
#include <torch/nn/modules/normalization.h>

#include "apo/model/batch_norm.h"
#include "apo/model/layer.h"

namespace apo {
namespace {

/// A layer whose outputs have its inputs' shape.
template <class Holder>
std::unique_ptr<NetworkLayer> norm_layer(Holder holder, const LayerPlace& place) {
  return std::make_unique<NetworkLayer>(
      NetworkLayer{.module = holder.ptr(),
                   .forward = [holder](const Tensor& x) mutable { return holder->forward(x); },
                   .shape = place.input});
}

}  // namespace

std::unique_ptr<NetworkLayer> make_batch_norm(const NoOptions&, const LayerPlace& place) {
  const size_t dimensions = place.input.size();
  if (dimensions != 1 && dimensions != 3) {
    place.refuse("[numbers] or a picture, [channels, height, width]; layer_norm for positions");
  }
  place.count_parameter({2, place.input[0]});
  if (dimensions == 1) return norm_layer(BatchNorm1d(place.input[0]), place);
  return norm_layer(BatchNorm2d(place.input[0]), place);
}

void GroupNormOptions::visit(OptionVisitor& visitor) {
  visitor.integer(
      "groups", groups, Range::between(1, 1e6), "of the channels, which they part; must be given");
  visitor.require(groups > 0, "groups", "must be given, at least 1");
}

std::unique_ptr<NetworkLayer> make_group_norm(const GroupNormOptions& options,
                                              const LayerPlace& place) {
  place.require_picture();
  if (place.input[0] % options.groups != 0) {
    place.refuse(fmt::format("channels that {} groups divide", options.groups));
  }
  place.count_parameter({2, place.input[0]});
  const torch::nn::GroupNormOptions norm(options.groups, place.input[0]);
  return norm_layer(torch::nn::GroupNorm(norm), place);
}

std::unique_ptr<NetworkLayer> make_layer_norm(const NoOptions&, const LayerPlace& place) {
  const bool fits = place.input.size() == 1 || place.input.size() == 2;
  if (!fits) {
    place.refuse("[numbers] or [positions, numbers]; group_norm for pictures");
  }
  place.count_parameter({2, place.input.back()});
  const torch::nn::LayerNormOptions norm(std::vector<int64_t>{place.input.back()});
  return norm_layer(torch::nn::LayerNorm(norm), place);
}

}  // namespace apo
