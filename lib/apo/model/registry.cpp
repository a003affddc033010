#include "apo/model/model.h"

namespace apo {

const Registry<Model, const ModelShape&>& models() {
  static const Registry<Model, const ModelShape&> registry = {
      member("mlp", "fully connected network with ReLU", make_mlp),
      member("cnn", "convolutions with ReLU and max-pooling, then fully connected", make_cnn),
      member("resnet18", "ResNet-18 in its CIFAR form", make_resnet18),
      member("resnet34", "ResNet-34 in its CIFAR form", make_resnet34),
      member("sequential", "layers of your choice, one after the other", make_sequential),
      member("torchscript", "any module of PyTorch, from a file", make_torchscript),
  };
  return registry;
}

}  // namespace apo
