// The family of models: networks z = f(x, θ).
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/base/registry.h"
#include "apo/base/tensors.h"
#include "apo/model/layer.h"

namespace apo {

/// What a model reads and how many outputs it has.
struct ModelShape {
  std::vector<int64_t> input = {1, 28, 28};  ///< of one example
  int64_t outputs = 10;                      ///< of a position: classes, or numbers
};

/// A picture's sizes.
struct PictureShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
};
/// Throws Error(config) where the examples are no pictures; `model` names who wants them.
PictureShape picture_of(const ModelShape& shape, const char* model);

/// A module whose submodules with parameters are its layers. Initialised from LibTorch's global
/// generator.
class Model : public torch::nn::Module {
 public:
  /// x: [B, …] → z: [B, …, outputs], of classes un-normalised log-probabilities.
  virtual Tensor forward(const Tensor& x) = 0;
  /// Whether forward passes draw random numbers from LibTorch's generators, as dropout does.
  virtual bool draws() const { return false; }
  /// CRC-32 of the file that it was read from; nothing where it is made from the seed.
  virtual std::optional<int64_t> file_checksum() const { return std::nullopt; }
};

struct MlpOptions {
  std::vector<int64_t> hidden = {1000, 1000};
  void visit(OptionVisitor& visitor);
};

struct CnnOptions {
  std::vector<int64_t> channels = {16, 32};
  int64_t kernel = 5;
  void visit(OptionVisitor& visitor);
};

struct ResnetOptions {
  int64_t width = 64;
  void visit(OptionVisitor& visitor);
};

struct SequentialOptions {
  LayerList layers{apo::layers(), {"flatten", "linear"}};
  void visit(OptionVisitor& visitor);
};

struct TorchscriptOptions {
  std::string path;
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<Model> make_mlp(const MlpOptions&, const ModelShape&);
std::unique_ptr<Model> make_cnn(const CnnOptions&, const ModelShape&);
std::unique_ptr<Model> make_resnet18(const ResnetOptions&, const ModelShape&);
std::unique_ptr<Model> make_resnet34(const ResnetOptions&, const ModelShape&);
/// Throws Error(config), with the layer's place, where a layer cannot take what it gets.
std::unique_ptr<Model> make_sequential(const SequentialOptions&, const ModelShape&);
/// Throws Error(data) where the file is no module that can be trained.
std::unique_ptr<Model> make_torchscript(const TorchscriptOptions&, const ModelShape&);

const Registry<Model, const ModelShape&>& models();

}  // namespace apo
