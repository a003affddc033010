// Pictures made up from the seed: for tests, dry runs and measuring speed.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>

#include "apo/base/random.h"
#include "apo/data/dataset.h"

namespace apo {
namespace {

constexpr double kNoise = 40;  // standard deviation, in grey levels
constexpr int64_t kTrain = 1000;
constexpr int64_t kTest = 200;

/// Example i shows class i mod `classes`. prototypes: [classes, C, H, W], grey levels.
Split make_split(const Tensor& prototypes, int64_t examples, at::Generator generator) {
  const Tensor labels = at::arange(examples, at::kLong).remainder(prototypes.size(0));
  std::vector<int64_t> shape = prototypes.sizes().vec();
  shape[0] = examples;
  const Tensor noise = at::randn(shape, generator, at::kFloat) * kNoise;
  const Tensor images = (prototypes.index_select(0, labels) + noise).round().clamp(0, 255);
  return {images.to(at::kByte), labels};
}

}  // namespace

void SyntheticOptions::visit(OptionVisitor& visitor) {
  visitor.integer("channels", channels, Range::between(1, 16), "channels of a picture");
  visitor.integer("height", height, Range::between(1, 1024), "rows of a picture");
  visitor.integer("width", width, Range::between(1, 1024), "columns of a picture");
  visitor.integer("classes", classes, Range::between(2, 1000), "number of classes");
}

std::unique_ptr<Dataset> make_synthetic(const SyntheticOptions& options,
                                        const DataRequest& request) {
  const auto generator = [&](uint64_t part) {
    return make_generator(request.seed, RandomStream::synthetic_data, part);
  };
  const Tensor prototypes =
      at::rand({options.classes, options.channels, options.height, options.width},
               generator(0),
               at::kFloat) *
      255;
  const auto split = [&](int64_t asked, int64_t all, uint64_t part) {
    return make_split(prototypes, asked > 0 ? asked : all, generator(part));
  };
  return dataset_of_pictures(split(request.train_examples, kTrain, 1),
                             split(request.test_examples, kTest, 2),
                             options.classes);
}

}  // namespace apo
