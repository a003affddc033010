#include <c10/util/accumulate.h>
#include <torch/nn/modules/linear.h>

#include "apo/model/model.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

/// x → flatten → (linear → ReLU) for each hidden size → linear → z.
class Mlp : public Model {
 public:
  Mlp(const MlpOptions& options, const ModelShape& shape) {
    int64_t inputs = c10::multiply_integers(shape.input);
    std::vector<int64_t> sizes = options.hidden;
    sizes.push_back(shape.outputs);
    for (const int64_t size : sizes) {
      const std::string name = "fc" + std::to_string(layers_.size() + 1);
      layers_.emplace_back(register_module(name, torch::nn::Linear(inputs, size)));
      inputs = size;
    }
  }

  Tensor forward(const Tensor& x) override {
    Tensor z = x.flatten(1);
    for (size_t i = 0; i < layers_.size(); ++i) {
      z = tapped(layers_[i], z);
      if (i + 1 < layers_.size()) z = z.relu();
    }
    return z;
  }

 private:
  std::vector<torch::nn::Linear> layers_;
};

}  // namespace

void MlpOptions::visit(OptionVisitor& visitor) {
  visitor.integers("hidden", hidden, Range::between(1, 1e6), "units of each hidden layer");
}

std::unique_ptr<Model> make_mlp(const MlpOptions& options, const ModelShape& shape) {
  return std::make_unique<Mlp>(options, shape);
}

}  // namespace apo
