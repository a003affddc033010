#include "apo/base/state.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>

#include <utility>

#include "apo/base/error.h"

namespace apo {
namespace {

/// Stands among the values for a tensor that is none.
constexpr const char* kUndefined = "undefined";

class StateWriter : public StateVisitor {
 public:
  bool restores() const override { return false; }
  void integer(const std::string& name, int64_t& value) override { keep(name, value); }
  void real(const std::string& name, double& value) override { keep(name, value); }
  void text(const std::string& name, std::string& value) override { keep(name, value); }
  void tensor(const std::string& name, Tensor& value) override {
    if (!value.defined()) return keep(name, std::string(kUndefined));
    const Tensor data = value.detach();
    state_.tensors[path(name)] = data.is_cpu() ? data.clone() : data.to(at::kCPU);
  }
  void shared(const std::string& name, Tensor& value) override { tensor(name, value); }

  State take() { return std::move(state_); }

 private:
  template <class Value>
  void keep(const std::string& name, const Value& value) {
    state_.values[path(name)] = value;
  }

  State state_;
};

class StateReader : public StateVisitor {
 public:
  StateReader(const State& state, at::Device device) : state_(state), device_(device) {}

  bool restores() const override { return true; }
  bool has(const std::string& name) const override {
    return state_.tensors.contains(path(name)) || state_.values.contains(path(name));
  }
  void integer(const std::string& name, int64_t& value) override { put_back(name, value); }
  void real(const std::string& name, double& value) override { put_back(name, value); }
  void text(const std::string& name, std::string& value) override { put_back(name, value); }

  void tensor(const std::string& name, Tensor& value) override {
    const auto found = state_.tensors.find(path(name));
    if (found == state_.tensors.end()) {
      std::string undefined;
      put_back(name, undefined);
      value = Tensor();
      return;
    }
    const at::Device device = value.defined() ? value.device() : device_;
    value = device.is_cpu() ? found->second.clone() : found->second.to(device);
  }

  void shared(const std::string& name, Tensor& value) override {
    const auto found = state_.tensors.find(path(name));
    if (found == state_.tensors.end()) fail(name, "is missing");
    const Tensor& saved = found->second;
    if (saved.sizes() != value.sizes() || saved.scalar_type() != value.scalar_type()) {
      fail(name,
           c10::str("is ",
                    saved.scalar_type(),
                    saved.sizes(),
                    "; expected: ",
                    value.scalar_type(),
                    value.sizes()));
    }
    const at::NoGradGuard no_grad;
    value.set_data(value.is_cpu() ? saved.clone() : saved.to(value.device()));
  }

 private:
  template <class Value>
  void put_back(const std::string& name, Value& value) const {
    const auto found = state_.values.find(path(name));
    if (found == state_.values.end()) fail(name, "is missing");
    const Value* saved = std::get_if<Value>(&found->second);
    if (saved == nullptr) fail(name, "is of another type");
    value = *saved;
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw Error(ErrorKind::data, "checkpoint: '" + path(name) + "' " + what);
  }

  const State& state_;
  at::Device device_;
};

}  // namespace

int64_t bytes_of(const State& state) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : state.tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

void StateVisitor::flag(const std::string& name, bool& value) {
  int64_t number = value ? 1 : 0;
  integer(name, number);
  value = number != 0;
}

void StateVisitor::optional(const std::string& name, std::optional<double>& value) {
  bool known = value.has_value();
  double number = value.value_or(0);
  flag(name + "_known", known);
  real(name, number);
  value = known ? std::optional(number) : std::nullopt;
}

size_t StateVisitor::length(const std::string& name, size_t items) {
  constexpr int64_t kMost = 1 << 20;  // far above the layers of any network
  auto count = static_cast<int64_t>(items);
  integer(name + "_count", count);
  if (count < 0 || count > kMost) {
    throw Error(ErrorKind::data, "checkpoint: '" + path(name) + "' has a length that cannot be");
  }
  return static_cast<size_t>(count);
}

void StateVisitor::tensors(const std::string& name, TensorList& values) {
  values.resize(length(name, values.size()));
  for (size_t i = 0; i < values.size(); ++i) tensor(name + std::to_string(i), values[i]);
}

void StateVisitor::section(const std::string& name,
                           const std::function<void(StateVisitor&)>& visit) {
  const std::string outer = std::exchange(prefix_, prefix_ + name + "/");
  visit(*this);
  prefix_ = outer;
}

State state_of(const std::function<void(StateVisitor&)>& visit) {
  StateWriter writer;
  visit(writer);
  return writer.take();
}

void restore(const State& state,
             at::Device device,
             const std::function<void(StateVisitor&)>& visit) {
  StateReader reader(state, device);
  visit(reader);
}

}  // namespace apo
