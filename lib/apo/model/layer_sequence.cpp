#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "apo/base/error.h"
#include "apo/model/layer.h"

namespace apo {
namespace {

/// Of a network, and of the numbers that a layer gives for an example: what an int32 counts.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

[[noreturn]] void fail(const LayerPlace& place, const std::string& what) {
  throw Error(ErrorKind::config, fmt::format("{} ({}): {}", place.path, place.name, what));
}

/// The product, or more than `most` where it is that. Pre: sizes above 0.
int64_t product(at::IntArrayRef sizes, int64_t most) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    if (size > most / product) return most + 1;
    product *= size;
  }
  return product;
}

/// The number of the last linear layer, or of none.
size_t last_linear(const LayerList& list) {
  size_t last = list.size();
  for (size_t i = 0; i < list.size(); ++i) {
    if (list.items()[i].name() == "linear") last = i;
  }
  return last;
}

}  // namespace

void LayerPlace::refuse(const std::string& accepted) const {
  fail(*this,
       fmt::format("gets [{}] for an example; accepted: {}", fmt::join(input, ", "), accepted));
}

void LayerPlace::count_parameter(std::initializer_list<int64_t> sizes) const {
  const int64_t count = product(sizes, kMost);
  if (count > kMost - *parameters) {
    fail(*this,
         fmt::format("with a parameter of [{}] the network has more than {} numbers; accepted: a "
                     "smaller one",
                     fmt::join(sizes, ", "),
                     kMost));
  }
  *parameters += count;
}

void LayerPlace::require_picture() const {
  if (input.size() != 3) refuse("a picture, [channels, height, width]");
}

std::vector<int64_t> LayerPlace::windowed(int64_t channels,
                                          int64_t size,
                                          int64_t stride,
                                          int64_t padding) const {
  require_picture();
  std::vector<int64_t> shape = {channels};
  for (const int64_t side : {input[1], input[2]}) {
    const int64_t room = side + 2 * padding - size;
    if (room < 0) refuse(fmt::format("pictures of {0} × {0} or more, or padding", size));
    shape.push_back(room / stride + 1);
  }
  return shape;
}

LayerSequence::LayerSequence(const LayerList& list, const LayerPlace& place) : shape_(place.input) {
  LayerPlace each = place;
  layers_.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const auto& item = list.items()[i];
    each.path = fmt::format("{}[{}]", place.path, i);
    each.name = item.name();
    each.input = shape_;
    each.outputs = i == last_linear(list) ? place.outputs : 0;
    layers_.push_back(std::move(*item.make(each)));
    shape_ = layers_.back().shape;
    if (product(shape_, kMost) > kMost) {
      fail(each,
           fmt::format("gives [{}] for an example, more than {} numbers; accepted: fewer",
                       fmt::join(shape_, ", "),
                       kMost));
    }
    if (each.name == "embedding") each.takes_indices = false;
  }
}

Tensor LayerSequence::forward(const Tensor& x) const {
  Tensor z = x;
  for (const NetworkLayer& layer : layers_) z = layer.forward(z);
  return z;
}

void LayerSequence::register_in(torch::nn::Module& module) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i].module) module.register_module(std::to_string(i), layers_[i].module);
  }
}

bool LayerSequence::draws() const {
  return std::any_of(
      layers_.begin(), layers_.end(), [](const NetworkLayer& layer) { return layer.draws; });
}

}  // namespace apo
