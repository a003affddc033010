#include "apo/model/layer.h"

namespace apo {

const LayerRegistry& layers() {
  static const LayerRegistry registry = {
      member("linear", "of the last dimension; nn.Linear", make_linear),
      member("conv", "of a picture, with square filters; nn.Conv2d", make_conv),
      member("embedding", "a vector for each whole number; nn.Embedding", make_embedding),
      member("batch_norm", "over the batch; nn.BatchNorm1d, nn.BatchNorm2d", make_batch_norm),
      member("group_norm", "over groups of channels; nn.GroupNorm", make_group_norm),
      member("layer_norm", "over the last dimension; nn.LayerNorm", make_layer_norm),
      member("max_pool", "greatest number in a window; nn.MaxPool2d", make_max_pool),
      member("average_pool", "mean over a window; nn.AvgPool2d", make_average_pool),
      member("global_pool",
             "mean over the picture, [channels, 1, 1]; nn.AdaptiveAvgPool2d(1)",
             make_global_pool),
      member("relu", "max(x, 0); nn.ReLU", make_relu),
      member("leaky_relu", "x, or slope · x below 0; nn.LeakyReLU", make_leaky_relu),
      member("elu", "x, or eˣ − 1 below 0; nn.ELU", make_elu),
      member("gelu", "x Φ(x); nn.GELU", make_gelu),
      member("silu", "x / (1 + e⁻ˣ); nn.SiLU", make_silu),
      member("tanh", "nn.Tanh", make_tanh),
      member("sigmoid", "nn.Sigmoid", make_sigmoid),
      member(
          "dropout", "zeros in the place of some numbers, in training; nn.Dropout", make_dropout),
      member("flatten", "all numbers of an example in a row; nn.Flatten", make_flatten),
      member("residual", "layers(x) + shortcut(x), of two lists of layers", make_residual),
  };
  return registry;
}

}  // namespace apo
