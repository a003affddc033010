// Layers with a matrix of weights.
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include "apo/base/error.h"
#include "apo/model/layer.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

const Range kWidth = Range::between(1, 1e6);

/// What `holder`'s forward gives, seen by taps.
template <class Holder>
std::unique_ptr<NetworkLayer> tapped_layer(Holder holder, std::vector<int64_t> shape) {
  return std::make_unique<NetworkLayer>(
      NetworkLayer{.module = holder.ptr(),
                   .forward = [holder](const Tensor& x) mutable { return tapped(holder, x); },
                   .shape = std::move(shape)});
}

}  // namespace

void LinearOptions::visit(OptionVisitor& visitor) {
  visitor.integer("outputs",
                  outputs,
                  Range::between(0, 1e6),
                  "for each position; of the last linear layer 0 is as many as the data set wants");
  visitor.flag("bias", bias, "added to the outputs");
}

std::unique_ptr<NetworkLayer> make_linear(const LinearOptions& options, const LayerPlace& place) {
  const int64_t outputs = options.outputs > 0 ? options.outputs : place.outputs;
  if (outputs == 0) {
    throw Error(ErrorKind::config,
                fmt::format("{}.outputs: must be given; the last linear layer of model.layers "
                            "alone takes them from the data set",
                            place.path));
  }
  const bool fits = place.input.size() == 1 || place.input.size() == 2;
  if (!fits) place.refuse("[numbers] or [positions, numbers]; flatten or global_pool before it");
  std::vector<int64_t> shape = place.input;
  place.count_parameter({outputs, shape.back()});
  const auto linear = torch::nn::LinearOptions(shape.back(), outputs).bias(options.bias);
  shape.back() = outputs;
  return tapped_layer(torch::nn::Linear(linear), shape);
}

void ConvOptions::visit(OptionVisitor& visitor) {
  visitor.integer("channels", channels, kWidth, "filters; must be given");
  visitor.require(channels > 0, "channels", "must be given, at least 1");
  visitor.integer("kernel", kernel, Range::between(1, 1000), "width of the filters");
  visitor.integer("stride", stride, Range::between(1, 1000), "pixels between their places");
  visitor.integer("padding", padding, Range::between(0, 1000), "zeros around the picture");
  visitor.require(padding < kernel, "padding", "must be < kernel, for more filters zeros alone");
  visitor.flag("bias", bias, "added to the outputs");
}

std::unique_ptr<NetworkLayer> make_conv(const ConvOptions& options, const LayerPlace& place) {
  const std::vector<int64_t> shape =
      place.windowed(options.channels, options.kernel, options.stride, options.padding);
  place.count_parameter({options.channels, place.input[0], options.kernel, options.kernel});
  const auto conv = torch::nn::Conv2dOptions(place.input[0], options.channels, options.kernel)
                        .stride(options.stride)
                        .padding(options.padding)
                        .bias(options.bias);
  return tapped_layer(torch::nn::Conv2d(conv), shape);
}

void EmbeddingOptions::visit(OptionVisitor& visitor) {
  visitor.integer(
      "count", count, Range::between(1, 1e9), "of whole numbers, from 0; must be given");
  visitor.require(count > 0, "count", "must be given, at least 1; 256 for the bytes of a text");
  visitor.integer("width", width, kWidth, "numbers for each of them; must be given");
  visitor.require(width > 0, "width", "must be given, at least 1");
}

std::unique_ptr<NetworkLayer> make_embedding(const EmbeddingOptions& options,
                                             const LayerPlace& place) {
  if (!place.takes_indices) place.refuse("whole numbers of the data set, as the first layer");
  place.count_parameter({options.count, options.width});
  torch::nn::Embedding embedding(torch::nn::EmbeddingOptions(options.count, options.width));
  std::vector<int64_t> shape = place.input;
  shape.push_back(options.width);
  const auto look_up =
      [embedding, path = place.path, count = options.count](const Tensor& x) mutable {
        try {
          return embedding->forward(x);
        } catch (const c10::IndexError&) {
          throw Error(ErrorKind::config,
                      fmt::format("{}.count = {}: a number of the data set is none of 0 to {}; "
                                  "accepted: more than the greatest of them",
                                  path,
                                  count,
                                  count - 1));
        }
      };
  return std::make_unique<NetworkLayer>(
      NetworkLayer{.module = embedding.ptr(), .forward = look_up, .shape = shape});
}

}  // namespace apo
