#include <ATen/ops/bincount.h>

#include <cmath>

#include "apo/data/dataset.h"

namespace apo {

Normalisation channel_statistics(const Tensor& images) {
  Normalisation result;
  for (int64_t c = 0; c < images.size(1); ++c) {
    const Tensor counts = at::bincount(images.select(1, c).flatten(), {}, 256);
    const auto* count = counts.const_data_ptr<int64_t>();
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
