#include <ATen/TensorOperators.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "apo/data/dataset.h"

namespace apo {

Normalisation channel_statistics(const Tensor& images, const Tensor& rows) {
  const int64_t channels = images.size(1);
  Tensor counts = at::zeros({channels, 256}, at::kLong);
  for_each_block(images, rows, [&](const Tensor& block) {
    for (int64_t c = 0; c < channels; ++c) {
      counts[c] += at::bincount(block.select(1, c).flatten(), {}, 256);
    }
  });
  Normalisation result;
  for (int64_t c = 0; c < channels; ++c) {
    const auto* count = counts.const_data_ptr<int64_t>() + c * 256;
    double pixels = 0;
    double sum = 0;
    for (int value = 0; value < 256; ++value) {
      pixels += static_cast<double>(count[value]);
      sum += static_cast<double>(count[value]) * value;
    }
    const double mean = sum / pixels;
    double squares = 0;
    for (int value = 0; value < 256; ++value) {
      squares += static_cast<double>(count[value]) * (value - mean) * (value - mean);
    }
    const double deviation = std::sqrt(squares / pixels);
    result.mean.push_back(mean / 255);
    result.deviation.push_back(deviation > 0 ? deviation / 255 : 1);
  }
  return result;
}

std::unique_ptr<Dataset> dataset_of_pictures(Split train, Split test, int64_t classes) {
  Normalisation statistics = channel_statistics(train.inputs);
  return std::make_unique<Dataset>(
      Dataset{std::move(train), std::move(test), classes, std::move(statistics)});
}

}  // namespace apo
