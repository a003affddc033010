#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <optional>
#include <utility>

#include "apo/base/error.h"
#include "apo/base/stepwise.h"
#include "apo/config/characters.h"
#include "apo/model/model.h"
#include "apo/model/module_network.h"
#include "apo/model/script_file.h"
#include "apo/model/script_statistics.h"

namespace apo {
namespace {

namespace jit = torch::jit;

/// One tensor for each stretch of memory: what was tied when it was saved is read as two, which
/// training would part.
class Tied {
 public:
  /// The first tensor with this one's elements, and whether that is new.
  std::pair<Tensor, bool> first_of(const Tensor& tensor) {
    for (const Tensor& known : known_) {
      const bool same = known.is_alias_of(tensor) &&
                        known.storage_offset() == tensor.storage_offset() &&
                        known.sizes() == tensor.sizes() && known.strides() == tensor.strides();
      if (same) return {known, false};
    }
    known_.push_back(tensor);
    return {tensor, true};
  }

 private:
  TensorList known_;
};

/// Has the tensors of a module below the script's first, and hands on its mode.
class Part : public torch::nn::Module {
 public:
  explicit Part(jit::Module script) : script_(std::move(script)) {}
  void train(bool on) override {
    torch::nn::Module::train(on);
    set_training(script_, on);
  }

 private:
  jit::Module script_;
};

/// Registers the script's own tensors in modules of the same names. What of the parameters requires
/// no gradient is kept as it is, like a buffer.
void mirror(const jit::Module& script, torch::nn::Module& into, Tied& tied) {
  const auto object = script._ivalue();
  for (size_t slot = 0; slot < script.type()->numAttributes(); ++slot) {
    const c10::IValue value = object->getSlot(slot);
    const std::string& name = script.type()->getAttributeName(slot);
    if (value.isModule()) {
      const jit::Module below(value.toModule());
      mirror(below, *into.register_module(name, std::make_shared<Part>(below)), tied);
    } else if (value.isTensor() && value.toTensor().defined()) {
      const auto [tensor, is_new] = tied.first_of(value.toTensor());
      object->setSlot(slot, tensor);
      if (!is_new) continue;
      if (script.type()->is_parameter(slot) && tensor.requires_grad()) {
        into.register_parameter(name, tensor);
      } else {
        into.register_buffer(name, tensor);
      }
    }
  }
}

/// Recurrent layers have their parameters in a list, too.
void tie_lists(const jit::Module& script, Tied& tied) {
  for (const jit::Module& module : script.modules()) {
    const auto object = module._ivalue();
    for (size_t slot = 0; slot < module.type()->numAttributes(); ++slot) {
      const c10::IValue value = object->getSlot(slot);
      if (!value.isTensorList()) continue;
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) {
        list.push_back(tensor.defined() ? tied.first_of(tensor).first : tensor);
      }
      object->setSlot(slot, list);
    }
  }
}

/// Without the kernels that do a layer at once.
class WithoutFused {
 public:
  WithoutFused()
      : onednn_(at::globalContext().userEnabledMkldnn()),
        cudnn_(at::globalContext().userEnabledCuDNN()) {
    set(false, false);
  }
  ~WithoutFused() { set(onednn_, cudnn_); }
  WithoutFused(const WithoutFused&) = delete;
  WithoutFused& operator=(const WithoutFused&) = delete;

 private:
  static void set(bool onednn, bool cudnn) {
    at::globalContext().setUserEnabledMkldnn(onednn);
    at::globalContext().setUserEnabledCuDNN(cudnn);
  }

  bool onednn_;
  bool cudnn_;
};

/// z as a module of PyTorch computes it that was saved with torch.jit.save.
class Script : public Model, public GathersStatistics {
 public:
  explicit Script(ScriptFile file)
      : script_(std::move(file.module)),
        checksum_(file.checksum),
        draws_(draws_numbers(script_)),
        recurs_(has_recurrent_layers(script_)) {
    Tied tied;
    mirror(script_, *this, tied);
    tie_lists(script_, tied);
  }

  Tensor forward(const Tensor& x) override {
    const auto run = [&] { return script_.forward({x}).toTensor(); };
    // As it is written: what the executor makes of it after a few passes rounds otherwise, so that
    // a run that goes on would not be the same, and loses forward-mode derivatives.
    const jit::GraphOptimizerEnabledGuard as_written(false);
    std::optional<WithoutFused> stepwise;
    if (recurs_ && Stepwise::is_wanted()) stepwise.emplace();
    return gathered_ ? gathered_->noted(run) : run();
  }

  void train(bool on) override {
    torch::nn::Module::train(on);
    set_training(script_, on);
  }

  using torch::nn::Module::to;
  /// Integers, such as positions, stay integers.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking) override {
    const auto move = [&](const Tensor& tensor) {
      const auto type = tensor.is_floating_point() ? dtype : tensor.scalar_type();
      tensor.set_data(tensor.detach().to(device, type, non_blocking));
    };
    for (const Tensor& parameter : parameters()) move(parameter);
    for (const Tensor& buffer : buffers()) move(buffer);
  }

  void gather_statistics(const std::function<void()>& passes) override {
    gathered_.emplace(script_);
    passes();
    gathered_->finish();
    gathered_.reset();
  }

  bool draws() const override { return draws_; }
  std::optional<int64_t> file_checksum() const override { return checksum_; }

 private:
  jit::Module script_;
  int64_t checksum_;
  bool draws_;
  bool recurs_;
  std::optional<ScriptStatistics> gathered_;  ///< while statistics are gathered
};

void require_parameters(const Script& model, const std::string& path) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::data, fmt::format("{}: {}", path, what));
  };
  if (model.parameters().empty()) {
    refuse("has no parameter that requires a gradient; accepted: a module that can be trained");
  }
  const auto require = [&](bool holds, const std::string& kind, const std::string& name) {
    if (holds) return;
    refuse(fmt::format("the {} {} holds NaN or infinity; accepted: numbers", kind, name));
  };
  for (const auto& buffer : model.named_buffers()) {  // infinities are masks
    require(!buffer.value().isnan().any().item<bool>(), "buffer", buffer.key());
  }
  for (const auto& parameter : model.named_parameters()) {
    if (parameter.value().is_floating_point()) {
      require(parameter.value().isfinite().all().item<bool>(), "parameter", parameter.key());
      continue;
    }
    refuse(fmt::format("the parameter {} is of type {}; accepted: real numbers",
                       parameter.key(),
                       c10::toString(parameter.value().scalar_type())));
  }
}

}  // namespace

void TorchscriptOptions::visit(OptionVisitor& visitor) {
  visit_path(visitor,
             "path",
             path,
             "the file of torch.jit.save; what it holds are the initial parameters, whatever the "
             "seed");
  visitor.require(!path.empty(), "path", "must be given: a file that torch.jit.save wrote");
}

std::unique_ptr<Model> make_torchscript(const TorchscriptOptions& options, const ModelShape&) {
  auto model = std::make_unique<Script>(read_script(options.path));
  require_parameters(*model, options.path);
  return model;
}

}  // namespace apo
