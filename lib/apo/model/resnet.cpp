#include <ATen/ops/adaptive_avg_pool2d.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <array>

#include "apo/model/batch_norm.h"
#include "apo/model/model.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

torch::nn::Conv2d convolution(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride) {
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(inputs, outputs, kernel)
                             .stride(stride)
                             .padding(kernel / 2)
                             .bias(false));
  torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
  return conv;
}

/// x → ReLU(BN(conv(ReLU(BN(conv x)))) + x), the shortcut projected where the shape changes.
class BasicBlock : public torch::nn::Module {
 public:
  BasicBlock(int64_t inputs, int64_t outputs, int64_t stride)
      : conv1_(register_module("conv1", convolution(inputs, outputs, 3, stride))),
        bn1_(register_module("bn1", BatchNorm2d(outputs))),
        conv2_(register_module("conv2", convolution(outputs, outputs, 3, 1))),
        bn2_(register_module("bn2", BatchNorm2d(outputs))) {
    if (stride == 1 && inputs == outputs) return;
    projection_ = convolution(inputs, outputs, 1, stride);
    norm_ = BatchNorm2d(outputs);
    register_module("downsample", torch::nn::Sequential(projection_, norm_));
  }

  Tensor forward(const Tensor& x) {
    const Tensor inner = bn1_->forward(tapped(conv1_, x)).relu_();
    const Tensor shortcut = projection_.is_empty() ? x : norm_->forward(tapped(projection_, x));
    return bn2_->forward(tapped(conv2_, inner)).add_(shortcut).relu_();
  }

 private:
  torch::nn::Conv2d conv1_;
  BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  BatchNorm2d bn2_;
  torch::nn::Conv2d projection_{nullptr};  // with norm_: downsample
  BatchNorm2d norm_{nullptr};
};

/// Residual network in its CIFAR form: a 3 × 3 stem without max-pooling, four stages of basic
/// blocks, the later three halving the picture and doubling the width. Parameters carry
/// torchvision's names. Source: He et al. 2016; the initialisation is torchvision's.
class Resnet : public Model {
 public:
  Resnet(const std::array<int, 4>& blocks, int64_t width, const ModelShape& shape)
      : conv1_(register_module("conv1",
                               convolution(picture_of(shape, "resnet").channels, width, 3, 1))),
        bn1_(register_module("bn1", BatchNorm2d(width))) {
    int64_t inputs = width;
    for (size_t stage = 0; stage < blocks.size(); ++stage) {
      const int64_t outputs = width << stage;
      torch::nn::Sequential layer;
      for (int b = 0; b < blocks[stage]; ++b) {
        layer->push_back(
            std::make_shared<BasicBlock>(inputs, outputs, stage > 0 && b == 0 ? 2 : 1));
        inputs = outputs;
      }
      stages_.emplace_back(register_module("layer" + std::to_string(stage + 1), layer));
    }
    fc_ = register_module("fc", torch::nn::Linear(inputs, shape.outputs));
  }

  Tensor forward(const Tensor& x) override {
    Tensor z = bn1_->forward(tapped(conv1_, x)).relu_();
    for (auto& stage : stages_) z = stage->forward(z);
    return tapped(fc_, at::adaptive_avg_pool2d(z, {1, 1}).flatten(1));
  }

 private:
  torch::nn::Conv2d conv1_;
  BatchNorm2d bn1_;
  std::vector<torch::nn::Sequential> stages_;
  torch::nn::Linear fc_{nullptr};
};

}  // namespace

void ResnetOptions::visit(OptionVisitor& visitor) {
  visitor.integer(
      "width", width, Range::between(1, 1e6), "channels of the first stage; 64 in the paper");
}

std::unique_ptr<Model> make_resnet18(const ResnetOptions& options, const ModelShape& shape) {
  return std::make_unique<Resnet>(std::array{2, 2, 2, 2}, options.width, shape);
}

std::unique_ptr<Model> make_resnet34(const ResnetOptions& options, const ModelShape& shape) {
  return std::make_unique<Resnet>(std::array{3, 4, 6, 3}, options.width, shape);
}

}  // namespace apo
