#include "apo/model/module_network.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/group.h"
#include "apo/model/batch_norm.h"
#include "apo/model/freeze.h"

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
bool wants_channels_last(const NetworkOptions& options) {
  return options.device.is_cpu() || options.precision == Precision::bfloat16 ||
         options.precision == Precision::tf32;
}

/// Lays out the filters of convolutions with the channels of a pixel side by side; the pictures
/// that they filter follow.
void order_channels_last(const torch::nn::Module& module) {
  TensorList filters;
  for (const Tensor& theta : module.parameters()) {
    if (theta.dim() == 4) filters.push_back(theta);
  }
  if (!std::all_of(filters.begin(), filters.end(), fits_channels_last)) return;
  for (Tensor& filter : filters) {
    const Tensor values = filter.detach();
    filter.set_data(at::empty_like(values, {}, at::MemoryFormat::ChannelsLast).copy_(values));
  }
}

/// A module with the parts of it that are always in evaluation mode.
struct Modules {
  std::shared_ptr<torch::nn::Module> whole;
  std::vector<std::shared_ptr<torch::nn::Module>> still;

  void train(bool on) const {
    whole->train(on);
    for (const auto& part : still) part->eval();
  }
  bool is_still(const torch::nn::Module& part) const {
    return std::any_of(
        still.begin(), still.end(), [&](const auto& other) { return other.get() == &part; });
  }
};

/// While it lives the module is as in evaluation, but that BatchNorm normalises by the batch and
/// its buffers are plain means over the batches, which begin anew; not where they are frozen.
class GatheringMode {
 public:
  explicit GatheringMode(const Modules& modules) : modules_(modules) {
    modules_.train(false);
    for (const auto& part : modules_.whole->modules()) {
      if (modules_.is_still(*part)) continue;
      take<torch::nn::BatchNorm1dImpl>(*part);
      take<torch::nn::BatchNorm2dImpl>(*part);
      take<torch::nn::BatchNorm3dImpl>(*part);
    }
  }
  ~GatheringMode() {
    for (const auto& [place, momentum] : momenta_) *place = momentum;
    modules_.train(true);
  }
  GatheringMode(const GatheringMode&) = delete;
  GatheringMode& operator=(const GatheringMode&) = delete;

 private:
  template <class Norm>
  void take(torch::nn::Module& part) {
    auto* norm = part.as<Norm>();
    if (norm == nullptr || !norm->options.track_running_stats()) return;
    norm->train();
    norm->reset_running_stats();
    std::optional<double>& momentum = norm->options.momentum();
    momenta_.emplace_back(&momentum, momentum);
    momentum.reset();  // LibTorch's word for a mean in which all batches count alike
  }

  const Modules& modules_;
  std::vector<std::pair<std::optional<double>*, std::optional<double>>> momenta_;
};

NamedTensors named(const torch::OrderedDict<std::string, Tensor>& items) {
  NamedTensors named;
  for (const auto& item : items) {
    named.tensors.push_back(item.value());
    named.names.push_back(item.key());
  }
  return named;
}

/// What a network has of its module.
struct Parts {
  NamedTensors parameters;
  NamedTensors buffers;
  Modules modules;
  bool has_statistics;  ///< that forward passes move
};

std::string module_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

/// Makes what `patterns` choose of the parameters buffers, and notes the modules of such buffers.
void freeze(const std::vector<std::string>& patterns, Parts& parts) {
  const NamedTensors all = std::exchange(parts.parameters, {});
  const std::vector<std::string> own_buffers = parts.buffers.names;
  std::vector<std::string> names = all.names;
  names.insert(names.end(), own_buffers.begin(), own_buffers.end());
  const std::vector<bool> is_frozen = chosen(names, patterns);
  for (size_t i = 0; i < all.names.size(); ++i) {
    NamedTensors& kind = is_frozen[i] ? parts.buffers : parts.parameters;
    kind.tensors.push_back(all.tensors[i]);
    kind.names.push_back(all.names[i]);
    if (is_frozen[i]) kind.tensors.back().requires_grad_(false);
  }
  if (parts.parameters.names.empty()) {
    throw Error(ErrorKind::config,
                "model.freeze: leaves no parameter to train; accepted: patterns that leave some");
  }
  const auto modules = parts.modules.whole->named_modules();
  parts.has_statistics = false;
  for (size_t i = 0; i < own_buffers.size(); ++i) {
    const auto& module = modules[module_of(own_buffers[i])];
    const bool still = is_frozen[all.names.size() + i];
    if (still && !parts.modules.is_still(*module)) parts.modules.still.push_back(module);
    parts.has_statistics |= !still;
  }
}

Parts parts_of(std::shared_ptr<torch::nn::Module> module,
               const std::vector<std::string>& patterns) {
  Parts parts{.parameters = named(module->named_parameters()),
              .buffers = named(module->named_buffers()),
              .modules = {},
              .has_statistics = !module->buffers().empty()};
  parts.modules.whole = std::move(module);
  if (!patterns.empty()) freeze(patterns, parts);
  return parts;
}

[[noreturn]] void refuse_to_normalise_together(const char* who) {
  throw Error(ErrorKind::config,
              fmt::format("model.batch_norm_sync = true: {} by each rank's own part of a batch; "
                          "accepted: false, or one rank",
                          who));
}

/// The BatchNorm layers of `module` by the whole batch.
void normalise_together(const torch::nn::Module& module, Group& group) {
  if (group.size() == 1) return;
  for (const auto& part : module.modules()) {
    if (auto* norm = dynamic_cast<SharesStatistics*>(part.get())) {
      norm->share_with(group);
    } else if (part->as<torch::nn::BatchNorm1dImpl>() || part->as<torch::nn::BatchNorm2dImpl>() ||
               part->as<torch::nn::BatchNorm3dImpl>()) {
      refuse_to_normalise_together("LibTorch's own BatchNorm normalises");
    } else if (dynamic_cast<GathersStatistics*>(part.get()) != nullptr) {
      refuse_to_normalise_together("a module of PyTorch from a file normalises");
    }
  }
}

class ModuleNetwork : public Network {
 public:
  /// The module is prepared.
  ModuleNetwork(Parts parts,
                std::function<Tensor(const Tensor& x)> forward,
                const NetworkOptions& options)
      : Network(std::move(parts.parameters), std::move(parts.buffers)),
        modules_(std::move(parts.modules)),
        has_statistics_(parts.has_statistics),
        forward_(std::move(forward)),
        options_(options),
        dtype_(dtype_of(options.precision)) {
    modules_.train(true);
  }

  Tensor forward(const Tensor& x) override {
    if (options_.draws) at::manual_seed(draw_seed_);
    const AutocastScope autocast(options_.precision == Precision::bfloat16, options_.device.type());
    const Tensor z = forward_(x);
    return z.scalar_type() == dtype_ ? z : z.to(dtype_);
  }

  /// Without batch statistics, which see one batch at a time, and without masks, which depend on
  /// where an example lies in its batch.
  std::pair<Tensor, Tensor> forward_both(const Tensor& x, const Tensor& x_tilde) override {
    if (has_statistics_ || draws()) return Network::forward_both(x, x_tilde);
    const Tensor z = forward(at::cat({x, x_tilde}));
    const int64_t count = x.size(0);
    return {z.narrow(0, 0, count), z.narrow(0, count, z.size(0) - count)};
  }

  void gather_statistics(const std::function<void()>& passes) override {
    if (!has_statistics_) return;
    if (auto* own = dynamic_cast<GathersStatistics*>(modules_.whole.get())) {
      own->gather_statistics(passes);
      modules_.train(true);
      return;
    }
    const GatheringMode mode(modules_);
    passes();
  }

  void train(bool on) override { modules_.train(on); }
  bool draws() const override { return options_.draws; }
  void draw_from(uint64_t seed) override { draw_seed_ = seed; }

 private:
  Modules modules_;
  bool has_statistics_;
  std::function<Tensor(const Tensor& x)> forward_;
  NetworkOptions options_;
  at::ScalarType dtype_;
  uint64_t draw_seed_ = 0;
};

}  // namespace

at::ScalarType dtype_of(Precision precision) {
  return precision == Precision::float64 ? at::kDouble : at::kFloat;
}

std::unique_ptr<Network> network_of(std::shared_ptr<torch::nn::Module> module,
                                    std::function<Tensor(const Tensor& x)> forward,
                                    const NetworkOptions& options) {
  module->to(options.device, dtype_of(options.precision));
  if (options.batch_norm != nullptr) normalise_together(*module, *options.batch_norm);
  if (wants_channels_last(options)) order_channels_last(*module);
  return std::make_unique<ModuleNetwork>(
      parts_of(std::move(module), options.frozen), std::move(forward), options);
}

}  // namespace apo
