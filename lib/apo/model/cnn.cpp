#include <ATen/ops/max_pool2d.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "apo/base/error.h"
#include "apo/model/model.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

/// x → (convolution that keeps the size → ReLU → 2 × 2 max-pool) for each width → linear → z.
/// The ReLU, which keeps the order of its inputs, comes after the pool: the same at a quarter of
/// the cost. Source: APO paper, Appendix C, with 16 and 32 filters of size 5.
class Cnn : public Model {
 public:
  Cnn(const CnnOptions& options, const ModelShape& shape) {
    auto [inputs, pixels_high, pixels_wide] = picture_of(shape, "cnn");
    for (const int64_t outputs : options.channels) {
      const std::string name = "conv" + std::to_string(convolutions_.size() + 1);
      const auto conv =
          torch::nn::Conv2dOptions(inputs, outputs, options.kernel).padding(options.kernel / 2);
      convolutions_.emplace_back(register_module(name, torch::nn::Conv2d(conv)));
      inputs = outputs;
      pixels_high /= 2;
      pixels_wide /= 2;
    }
    if (pixels_high == 0 || pixels_wide == 0) {
      throw Error(ErrorKind::config,
                  "model.channels: " + std::to_string(options.channels.size()) +
                      " convolutions halve the picture to nothing; use fewer");
    }
    fc_ =
        register_module("fc", torch::nn::Linear(inputs * pixels_high * pixels_wide, shape.outputs));
  }

  Tensor forward(const Tensor& x) override {
    Tensor z = x;
    for (auto& convolution : convolutions_) {
      z = at::max_pool2d(tapped(convolution, z), 2).relu();
    }
    return tapped(fc_, z.flatten(1));
  }

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  torch::nn::Linear fc_{nullptr};
};

}  // namespace

void CnnOptions::visit(OptionVisitor& visitor) {
  visitor.integers("channels", channels, Range::between(1, 1e6), "filters of each convolution");
  visitor.integer("kernel", kernel, Range::between(1, 31), "width of the filters, odd");
  visitor.require(kernel % 2 == 1, "kernel", "must be odd, so that the picture keeps its size");
  visitor.require(!channels.empty(), "channels", "must name at least one convolution");
}

std::unique_ptr<Model> make_cnn(const CnnOptions& options, const ModelShape& shape) {
  return std::make_unique<Cnn>(options, shape);
}

}  // namespace apo
