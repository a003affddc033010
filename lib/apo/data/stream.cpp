#include "apo/data/stream.h"

#include <ATen/ops/addcmul.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace apo {
namespace {

/// The factor and the summand, [C, 1, 1], that normalise pixels of 0 to 255. At least in float, for
/// rounding them would shift every picture alike.
std::pair<Tensor, Tensor> scale_and_shift(const Normalisation& normalisation,
                                          at::Device device,
                                          at::ScalarType dtype) {
  if (normalisation.mean.empty()) return {};
  std::vector<double> scale;
  std::vector<double> shift;
  for (size_t c = 0; c < normalisation.mean.size(); ++c) {
    scale.push_back(1 / (255 * normalisation.deviation[c]));
    shift.push_back(-normalisation.mean[c] / normalisation.deviation[c]);
  }
  const auto options =
      at::TensorOptions().dtype(dtype == at::kDouble ? at::kDouble : at::kFloat).device(device);
  return {at::tensor(scale, options).view({-1, 1, 1}), at::tensor(shift, options).view({-1, 1, 1})};
}

/// Real numbers get the type, whole ones that of indices; undefined stays so.
Tensor of_type(const Tensor& numbers, at::ScalarType dtype) {
  if (!numbers.defined()) return numbers;
  return numbers.to(numbers.is_floating_point() ? dtype : at::kLong);
}

/// inputs · scale + shift, where there is a scale, and all of type `dtype`: one kernel on a GPU,
/// where loading converts.
Batch normalise(const Batch& x, const Tensor& scale, const Tensor& shift, at::ScalarType dtype) {
  const bool scaled = scale.defined();
  return {scaled ? at::addcmul(shift, x.inputs, scale).to(dtype) : of_type(x.inputs, dtype),
          of_type(x.targets, dtype),
          of_type(x.weights, dtype)};
}

}  // namespace

BatchStream::BatchStream(Split split,
                         const Normalisation& normalisation,
                         const StreamOptions& options)
    : split_(std::move(split)), options_(options) {
  std::tie(scale_, shift_) = scale_and_shift(normalisation, split_.inputs.device(), options_.dtype);
  start_pass();
}

Batch BatchStream::next() {
  const int64_t count = split_.targets.size(0);
  if (position_.examples >= count) {
    position_ = {.pass = position_.pass + 1, .examples = 0};
    start_pass();
  }
  const int64_t begin = position_.examples;
  const int64_t size = std::min(options_.batch_size, count - begin);
  position_.examples += size;

  const Tensor chosen = order_.narrow(0, begin, size);
  Batch x = split_.mapped([&](const Tensor& t) { return t.index_select(0, chosen); });
  if (options_.augmentation == Augmentation::crop_flip) {
    x.inputs =
        crop_and_flip(x.inputs, offsets_.narrow(0, begin, size), flips_.narrow(0, begin, size));
  }
  return normalise(x, scale_, shift_, options_.dtype);
}

int64_t BatchStream::steps_per_pass() const {
  return (split_.targets.size(0) - 1) / options_.batch_size + 1;
}

void BatchStream::visit_state(StateVisitor& visitor) {
  visitor.integer("pass", position_.pass);
  visitor.integer("examples", position_.examples);
  if (visitor.restores()) start_pass();
}

/// On the CPU whatever the device, so that both see the same order.
void BatchStream::start_pass() {
  const int64_t count = split_.targets.size(0);
  const at::Device device = split_.inputs.device();
  at::Generator generator =
      make_generator(options_.seed, options_.stream, static_cast<uint64_t>(position_.pass));
  order_ = at::randperm(count, generator, at::kLong).to(device);
  if (options_.augmentation == Augmentation::crop_flip) {
    offsets_ = at::randint(0, 9, {count, 2}, generator, at::kLong).to(device);
    flips_ = at::randint(0, 2, {count}, generator, at::kLong).to(device, at::kBool);
  }
}

SplitInOrder::SplitInOrder(Split split, const Normalisation& normalisation, at::ScalarType dtype)
    : split_(std::move(split)), dtype_(dtype) {
  std::tie(scale_, shift_) = scale_and_shift(normalisation, split_.inputs.device(), dtype);
}

Batch SplitInOrder::slice(int64_t begin, int64_t end) const {
  const auto part = [&](const Tensor& t) { return t.narrow(0, begin, end - begin); };
  return normalise(split_.mapped(part), scale_, shift_, dtype_);
}

}  // namespace apo
