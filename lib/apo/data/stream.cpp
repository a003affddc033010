#include "apo/data/stream.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace apo {
namespace {

/// So many of a mapped file: enough that a step which is over sooner than others waits for none.
constexpr size_t kBatchesAhead = 4;

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
          x.weights.defined() ? x.weights.to(dtype) : x.weights};
}

}  // namespace

Draws::Draws(int64_t count, const StreamOptions& options, at::Device device)
    : count_(count), options_(options), device_(device) {}

Draws::Draw Draws::next() {
  if (position_.examples >= count_) go_to({.pass = position_.pass + 1, .examples = 0});
  if (!order_.defined()) start_pass();
  const int64_t begin = position_.examples;
  const int64_t size = std::min(options_.batch_size, count_ - begin);
  position_.examples += size;
  const Share own = share_of(size, options_.rank, options_.ranks);
  const auto part = [&](const Tensor& t) {
    return t.defined() ? t.narrow(0, begin + own.begin, own.count) : t;
  };
  const Tensor whole = options_.ranks > 1 ? order_.narrow(0, begin, size) : Tensor();
  return {part(order_), whole, part(offsets_), part(flips_), position_};
}

void Draws::go_to(StreamPosition position) {
  position_ = position;
  order_ = Tensor();
}

/// On the CPU whatever the device, so that both see the same order.
void Draws::start_pass() {
  at::Generator generator =
      make_generator(options_.seed, options_.stream, static_cast<uint64_t>(position_.pass));
  order_ = at::randperm(count_, generator, at::kLong).to(device_);
  if (options_.augmentation == Augmentation::crop_flip) {
    offsets_ = at::randint(0, 9, {count_, 2}, generator, at::kLong).to(device_);
    flips_ = at::randint(0, 2, {count_}, generator, at::kLong).to(device_, at::kBool);
  }
}

BatchStream::BatchStream(Split split,
                         const Normalisation& normalisation,
                         const StreamOptions& options)
    : split_(std::move(split)),
      options_(options),
      draws_(split_.size(), options_, split_.is_mapped() ? at::kCPU : split_.device()) {
  std::tie(scale_, shift_) = scale_and_shift(normalisation, split_.device(), options_.dtype);
}

Batch BatchStream::next() {
  const Read read = read_next();
  position_ = read.draw.after;
  Batch x = sent(read.examples, split_.device());
  if (options_.augmentation == Augmentation::crop_flip) {
    const auto there = [&](const Tensor& t) { return t.to(split_.device()); };
    x.inputs = crop_and_flip(x.inputs, there(read.draw.offsets), there(read.draw.flips));
  }
  x = normalise(x, scale_, shift_, options_.dtype);
  if (options_.ranks == 1) return x;
  x.of = read.draw.whole.size(0);
  x.share = read.share.to(x.inputs.device(), options_.dtype);
  return x;
}

/// Of the whole batch's weight, times the ranks.
Tensor BatchStream::share_in(const Draws::Draw& draw) const {
  const auto weight_of = [&](const Tensor& chosen) {
    if (!split_.weights.defined()) return at::full({}, chosen.size(0), at::kDouble);
    Split weights = split_;
    static_cast<Batch&>(weights) = {.inputs = split_.weights, .targets = {}};
    return weights.select(chosen).inputs.sum(at::kDouble);
  };
  return weight_of(draw.chosen) * options_.ranks / weight_of(draw.whole);
}

/// On the stream's thread, if it has one.
BatchStream::Read BatchStream::read() {
  Draws::Draw draw = draws_.next();
  Batch examples = split_.select(draw.chosen);
  const Tensor share = options_.ranks > 1 ? share_in(draw) : Tensor();
  return {std::move(examples), std::move(draw), share};
}

/// What is sent to the device, and all else that a GPU does, is left to the thread that trains: it
/// may be recording.
BatchStream::Read BatchStream::read_next() {
  if (!split_.is_mapped()) return read();
  if (!ahead_) ahead_ = std::make_unique<Ahead<Read>>([this] { return read(); }, kBatchesAhead);
  return ahead_->next();
}

int64_t BatchStream::steps_per_pass() const {
  return (split_.size() - 1) / options_.batch_size + 1;
}

void BatchStream::visit_state(StateVisitor& visitor) {
  visitor.integer("pass", position_.pass);
  visitor.integer("examples", position_.examples);
  if (!visitor.restores()) return;
  ahead_.reset();
  draws_.go_to(position_);
}

SplitInOrder::SplitInOrder(Split split, const Normalisation& normalisation, at::ScalarType dtype)
    : split_(std::move(split)), dtype_(dtype) {
  std::tie(scale_, shift_) = scale_and_shift(normalisation, split_.device(), dtype);
}

Batch SplitInOrder::slice(int64_t begin, int64_t end) const {
  return normalise(split_.slice(begin, end), scale_, shift_, dtype_);
}

}  // namespace apo
