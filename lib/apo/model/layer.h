// The family of layers: what a network of the configuration, `model: {name: sequential}`, is put
// together from. Each is a module of torch.nn, with its parameters' names and initialisation.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/base/registry.h"
#include "apo/base/tensors.h"

namespace apo {

struct NetworkLayer {
  /// Of its parameters, buffers and mode; nullptr where it has none.
  std::shared_ptr<torch::nn::Module> module;
  /// x: [B, …] → [B, shape…].
  std::function<Tensor(const Tensor& x)> forward;
  std::vector<int64_t> shape;  ///< of what it gives for one example
  bool draws = false;          ///< random numbers, in training
};

/// Where a layer stands.
struct LayerPlace {
  std::string path;               ///< "model.layers[3]"
  std::string name;               ///< "conv"
  std::vector<int64_t> input;     ///< shape of one example
  bool takes_indices = false;     ///< whole numbers, to be looked up
  int64_t outputs = 0;            ///< what the data set wants, of the last linear layer; else 0
  int64_t* parameters = nullptr;  ///< how many there are in all layers up to here

  /// Throws Error(config): "model.layers[3] (conv): gets [100] for an example; …".
  [[noreturn]] void refuse(const std::string& accepted) const;
  /// Adds a parameter of these sizes before it is made. Throws Error(config) where that is more
  /// than a network may have.
  void count_parameter(std::initializer_list<int64_t> sizes) const;
  /// Throws Error(config) where the input is no picture, [channels, height, width].
  void require_picture() const;
  /// What a window makes of a picture, at each place where it fits: [channels, H′, W′]. Throws
  /// Error(config) where there is none.
  std::vector<int64_t> windowed(int64_t channels,
                                int64_t size,
                                int64_t stride,
                                int64_t padding) const;
};

using LayerRegistry = Registry<NetworkLayer, const LayerPlace&>;
using LayerList = ChoiceListOf<NetworkLayer, const LayerPlace&>;
const LayerRegistry& layers();

/// Layers of which each takes what the one before it gives.
class LayerSequence {
 public:
  /// `place`: of the whole; its path is that of the list. Errors (config) name the layer.
  LayerSequence(const LayerList& list, const LayerPlace& place);

  Tensor forward(const Tensor& x) const;
  /// Registers the layers in `module` by their numbers, as torch.nn.Sequential does.
  void register_in(torch::nn::Module& module) const;
  const std::vector<int64_t>& shape() const { return shape_; }
  bool draws() const;

 private:
  std::vector<NetworkLayer> layers_;
  std::vector<int64_t> shape_;
};

struct LinearOptions {
  int64_t outputs = 0;  ///< 0: what the data set wants
  bool bias = true;
  void visit(OptionVisitor& visitor);
};

struct ConvOptions {
  int64_t channels = 0;  ///< must be given
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 0;
  bool bias = true;
  void visit(OptionVisitor& visitor);
};

struct EmbeddingOptions {
  int64_t count = 0;  ///< must be given
  int64_t width = 0;  ///< must be given
  void visit(OptionVisitor& visitor);
};

struct GroupNormOptions {
  int64_t groups = 0;  ///< must be given
  void visit(OptionVisitor& visitor);
};

struct PoolOptions {
  int64_t size = 2;
  int64_t stride = 0;  ///< 0: size
  int64_t padding = 0;
  void visit(OptionVisitor& visitor);
};

struct LeakyReluOptions {
  double slope = 0.01;
  void visit(OptionVisitor& visitor);
};

struct DropoutOptions {
  double probability = 0.5;
  void visit(OptionVisitor& visitor);
};

struct ResidualOptions {
  LayerList layers{apo::layers()};    ///< must be given
  LayerList shortcut{apo::layers()};  ///< none: x itself
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<NetworkLayer> make_linear(const LinearOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_conv(const ConvOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_embedding(const EmbeddingOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_batch_norm(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_group_norm(const GroupNormOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_layer_norm(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_max_pool(const PoolOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_average_pool(const PoolOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_global_pool(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_relu(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_leaky_relu(const LeakyReluOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_elu(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_gelu(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_silu(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_tanh(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_sigmoid(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_dropout(const DropoutOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_flatten(const NoOptions&, const LayerPlace&);
std::unique_ptr<NetworkLayer> make_residual(const ResidualOptions&, const LayerPlace&);

}  // namespace apo
