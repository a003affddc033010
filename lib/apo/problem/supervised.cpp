#include "apo/problem/supervised.h"

#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "apo/base/guards.h"
#include "apo/model/model.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

/// Autocast to bfloat16 while in scope, where asked for. The weight cache is off: θ changes under
/// it.
class AutocastScope {
 public:
  AutocastScope(bool wanted, at::DeviceType device) : device_(device) {
    if (!wanted) return;
    active_ = true;
    was_enabled_ = at::autocast::is_autocast_enabled(device);
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~AutocastScope() {
    if (active_) at::autocast::set_autocast_enabled(device_, was_enabled_);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  at::DeviceType device_;
  bool active_ = false;
  bool was_enabled_ = false;
};

/// Whether the CPU's kernels for channels that lie side by side work for a filter: for 1 × 1
/// filters they take eight channels at a time, and those of oneDNN for AVX2 write behind the
/// gradient of fewer.
bool fits_channels_last(const Tensor& filter) {
  const bool point = filter.size(2) * filter.size(3) == 1;
  return filter.size(0) % 8 == 0 && (!point || filter.size(1) % 8 == 0);
}

/// Whether convolutions are faster with the channels of a pixel side by side: on a GPU with the
/// kernels of its tensor cores alone.
bool wants_channels_last(const SupervisedOptions& options) {
  return options.device.is_cpu() || options.precision == Precision::bfloat16 ||
         options.precision == Precision::tf32;
}

/// Lays out the filters of convolutions with the channels of a pixel side by side; the pictures
/// that they filter follow.
void order_channels_last(Model& model) {
  TensorList filters;
  for (const Tensor& theta : model.parameters()) {
    if (theta.dim() == 4) filters.push_back(theta);
  }
  if (!std::all_of(filters.begin(), filters.end(), fits_channels_last)) return;
  for (Tensor& filter : filters) {
    const Tensor values = filter.detach();
    filter.set_data(at::empty_like(values, {}, at::MemoryFormat::ChannelsLast).copy_(values));
  }
}

class Supervised : public Problem {
 public:
  Supervised(std::shared_ptr<Model> model, const Dataset& dataset, const SupervisedOptions& options)
      : model_(std::move(model)),
        options_(options),
        dtype_(options.precision == Precision::float64 ? at::kDouble : at::kFloat),
        normalisation_(options.normalisation ? *options.normalisation
                                             : channel_statistics(dataset.train.images)),
        train_(to_device(dataset.train)),
        test_(to_device(dataset.test)),
        batches_(train_, normalisation_, stream_options(RandomStream::training_batches)),
        discrepancy_batches_(
            train_, normalisation_, stream_options(RandomStream::discrepancy_batches)) {
    model_->to(options.device, dtype_);
    if (wants_channels_last(options)) order_channels_last(*model_);
    model_->train();
    for (const auto& item : model_->named_parameters()) {
      names_.push_back(item.key());
      parameters_.push_back(item.value());
    }
    for (const auto& item : model_->named_buffers()) {
      buffer_names_.push_back(item.key());
      buffers_.push_back(item.value());
    }
  }

  TensorList& parameters() override { return parameters_; }
  const std::vector<std::string>& parameter_names() const override { return names_; }
  TensorList& buffers() override { return buffers_; }

  int64_t steps_per_epoch() const override { return batches_.batches_per_pass(); }
  Batch next_batch() override { return batches_.next(); }
  Batch next_discrepancy_batch() override { return discrepancy_batches_.next(); }

  Tensor outputs(const Batch& x) override {
    const AutocastScope autocast(options_.precision == Precision::bfloat16, options_.device.type());
    const Tensor z = model_->forward(x.inputs);
    return z.scalar_type() == dtype_ ? z : z.to(dtype_);
  }

  /// Without batch statistics, which are what buffers are for.
  std::pair<Tensor, Tensor> outputs_of_both(const Batch& x, const Batch& x_tilde) override {
    if (!buffers_.empty()) return Problem::outputs_of_both(x, x_tilde);
    const Tensor z = outputs({at::cat({x.inputs, x_tilde.inputs}), {}});
    const int64_t count = x.inputs.size(0);
    return {z.narrow(0, 0, count), z.narrow(0, count, z.size(0) - count)};
  }

  Tensor loss(const Tensor& z, const Batch& x) override {
    return at::cross_entropy_loss(z, x.targets);
  }

  Tensor correct(const Tensor& z, const Batch& x) override {
    return z.detach().argmax(1).eq(x.targets).sum();
  }

  std::vector<LayerMoments> curvature(const Batch& x,
                                      const CurvatureOptions& options,
                                      uint64_t draw) override {
    const at::AutoGradMode with_gradients(true);
    const SwapGuard buffers(buffers_, clone(buffers_));
    const TapScope scope;
    const Tensor z = outputs(x);
    const Batch seen{x.inputs,
                     options.fisher == Fisher::empirical ? x.targets : drawn_targets(z, draw)};
    return layer_moments(scope.taps(), loss(z, seen), parameters_, options.position_stride);
  }

  void visit_state(StateVisitor& visitor) override {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      visitor.shared("parameters/" + names_[i], parameters_[i]);
    }
    for (size_t i = 0; i < buffers_.size(); ++i) {
      visitor.shared("buffers/" + buffer_names_[i], buffers_[i]);
    }
    visitor.section("batches", [this](StateVisitor& v) { batches_.visit_state(v); });
    visitor.section("discrepancy_batches",
                    [this](StateVisitor& v) { discrepancy_batches_.visit_state(v); });
  }

  std::optional<Metrics> evaluate(Part part, const Poll& interrupted) override {
    const at::NoGradGuard no_grad;
    const Split& split = part == Part::train ? train_ : test_;
    const int64_t count = split.labels.size(0);
    model_->eval();
    Tensor loss_sum = at::zeros({}, at::TensorOptions().dtype(at::kDouble).device(options_.device));
    Tensor correct_sum = at::zeros_like(loss_sum);
    for (int64_t begin = 0; begin < count && !interrupted(); begin += kEvaluationBatch) {
      const int64_t end = std::min(begin + kEvaluationBatch, count);
      const Batch x = slice_batch(split, normalisation_, begin, end, dtype_);
      const Tensor z = outputs(x);
      loss_sum += loss(z, x) * static_cast<double>(end - begin);
      correct_sum += correct(z, x);
    }
    model_->train();
    if (interrupted()) return std::nullopt;
    const auto total = static_cast<double>(count);
    return Metrics{to_double(loss_sum) / total, to_double(correct_sum) / total};
  }

 private:
  Split to_device(const Split& split) const {
    return {split.images.to(options_.device), split.labels.to(options_.device)};
  }

  /// One target for each example, from the network's own predictions.
  Tensor drawn_targets(const Tensor& z, uint64_t draw) const {
    at::Generator generator = make_generator(options_.seed, RandomStream::fisher_targets, draw);
    const Tensor predictions = z.detach().to(at::kCPU, at::kDouble).softmax(1).nan_to_num(1);
    return predictions.multinomial(1, false, generator).squeeze(1).to(z.device());
  }

  StreamOptions stream_options(RandomStream stream) const {
    const bool own_size =
        stream == RandomStream::discrepancy_batches && options_.discrepancy_batch_size > 0;
    return {.batch_size = own_size ? options_.discrepancy_batch_size : options_.batch_size,
            .augmentation = options_.augmentation,
            .seed = options_.seed,
            .stream = stream,
            .dtype = dtype_};
  }

  std::shared_ptr<Model> model_;
  SupervisedOptions options_;
  at::ScalarType dtype_;
  Normalisation normalisation_;
  Split train_;
  Split test_;
  BatchStream batches_;
  BatchStream discrepancy_batches_;
  TensorList parameters_;
  std::vector<std::string> names_;
  TensorList buffers_;
  std::vector<std::string> buffer_names_;
};

}  // namespace

std::unique_ptr<Problem> make_supervised(std::shared_ptr<Model> model,
                                         const Dataset& dataset,
                                         const SupervisedOptions& options) {
  return std::make_unique<Supervised>(std::move(model), dataset, options);
}

}  // namespace apo
