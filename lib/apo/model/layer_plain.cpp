// Layers without parameters.
#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/silu.h>
#include <c10/util/accumulate.h>
#include <torch/nn/modules/dropout.h>

#include "apo/model/layer.h"

namespace apo {
namespace {

std::unique_ptr<NetworkLayer> plain_layer(std::function<Tensor(const Tensor& x)> forward,
                                          std::vector<int64_t> shape) {
  return std::make_unique<NetworkLayer>(
      NetworkLayer{.module = nullptr, .forward = std::move(forward), .shape = std::move(shape)});
}

std::vector<int64_t> pooled(const PoolOptions& options, const LayerPlace& place) {
  place.require_picture();
  const int64_t stride = options.stride > 0 ? options.stride : options.size;
  return place.windowed(place.input[0], options.size, stride, options.padding);
}

}  // namespace

void PoolOptions::visit(OptionVisitor& visitor) {
  visitor.integer("size", size, Range::between(1, 1000), "width of the windows");
  visitor.integer("stride", stride, Range::between(0, 1000), "pixels between them; 0: size");
  visitor.integer("padding", padding, Range::between(0, 500), "around the picture");
  visitor.require(2 * padding <= size, "padding", "must be at most half of size");
}

std::unique_ptr<NetworkLayer> make_max_pool(const PoolOptions& options, const LayerPlace& place) {
  std::vector<int64_t> shape = pooled(options, place);
  const int64_t stride = options.stride > 0 ? options.stride : options.size;
  const auto pool = [options, stride](const Tensor& x) {
    return at::max_pool2d(x, options.size, stride, options.padding);
  };
  return plain_layer(pool, std::move(shape));
}

std::unique_ptr<NetworkLayer> make_average_pool(const PoolOptions& options,
                                                const LayerPlace& place) {
  std::vector<int64_t> shape = pooled(options, place);
  const int64_t stride = options.stride > 0 ? options.stride : options.size;
  const auto pool = [options, stride](const Tensor& x) {
    return at::avg_pool2d(x, options.size, stride, options.padding);
  };
  return plain_layer(pool, std::move(shape));
}

std::unique_ptr<NetworkLayer> make_global_pool(const NoOptions&, const LayerPlace& place) {
  place.require_picture();
  return plain_layer(
      [](const Tensor& x) {
        return at::adaptive_avg_pool2d(x, {1, 1});
      },
      {place.input[0], 1, 1});
}

std::unique_ptr<NetworkLayer> make_relu(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return x.relu(); }, place.input);
}

void LeakyReluOptions::visit(OptionVisitor& visitor) {
  visitor.real("slope", slope, Range::between(0, 1), "below 0");
}

std::unique_ptr<NetworkLayer> make_leaky_relu(const LeakyReluOptions& options,
                                              const LayerPlace& place) {
  const double slope = options.slope;
  return plain_layer([slope](const Tensor& x) { return at::leaky_relu(x, slope); }, place.input);
}

std::unique_ptr<NetworkLayer> make_elu(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return at::elu(x); }, place.input);
}

std::unique_ptr<NetworkLayer> make_gelu(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return at::gelu(x); }, place.input);
}

std::unique_ptr<NetworkLayer> make_silu(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return at::silu(x); }, place.input);
}

std::unique_ptr<NetworkLayer> make_tanh(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return x.tanh(); }, place.input);
}

std::unique_ptr<NetworkLayer> make_sigmoid(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return x.sigmoid(); }, place.input);
}

void DropoutOptions::visit(OptionVisitor& visitor) {
  visitor.real("probability",
               probability,
               Range::half_open(0, 1),
               "of each number in training to become 0; the others grow by 1 / (1 − it)");
}

std::unique_ptr<NetworkLayer> make_dropout(const DropoutOptions& options, const LayerPlace& place) {
  torch::nn::Dropout dropout(options.probability);
  return std::make_unique<NetworkLayer>(
      NetworkLayer{.module = dropout.ptr(),
                   .forward = [dropout](const Tensor& x) mutable { return dropout->forward(x); },
                   .shape = place.input,
                   .draws = options.probability > 0});
}

std::unique_ptr<NetworkLayer> make_flatten(const NoOptions&, const LayerPlace& place) {
  return plain_layer([](const Tensor& x) { return x.dim() > 1 ? x.flatten(1) : x.unsqueeze(1); },
                     {c10::multiply_integers(place.input)});
}

}  // namespace apo
