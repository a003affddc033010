// What a run must remember to go on as if it had never stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// Tensors, on the CPU, and numbers. Names are paths: "trainer/statistics/slot0/fc1.weight".
struct State {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::variant<int64_t, double, std::string>> values;
};

/// Bytes of all tensors.
int64_t bytes_of(const State& state);

/// Walks over what a part of a run remembers, and either copies it out or puts it back. One
/// function of each part serves both, so that neither can forget what the other knows.
class StateVisitor {
 public:
  virtual ~StateVisitor() = default;

  /// Whether values are put back.
  virtual bool restores() const = 0;
  /// Whether there is such a tensor or number to put back; for what checkpoints have had since
  /// their version was last counted up.
  virtual bool has(const std::string& /*name*/) const { return true; }

  virtual void integer(const std::string& name, int64_t& value) = 0;
  virtual void real(const std::string& name, double& value) = 0;
  virtual void text(const std::string& name, std::string& value) = 0;
  /// May be undefined. What is put back is a new tensor, with the strides that it had, on the
  /// device of the old one or, where there is none, on that of the run.
  virtual void tensor(const std::string& name, Tensor& value) = 0;
  /// A tensor that others hold too: it stays the same object and takes the values as its storage.
  /// Its shape and type must be the same: throws Error(data).
  virtual void shared(const std::string& name, Tensor& value) = 0;

  void flag(const std::string& name, bool& value);
  void optional(const std::string& name, std::optional<double>& value);
  /// A list of whatever length, of which `visit` walks over an item.
  template <class Item, class Visit>
  void list(const std::string& name, std::vector<Item>& items, Visit visit) {
    items.resize(length(name, items.size()));
    for (size_t i = 0; i < items.size(); ++i) {
      section(name + std::to_string(i), [&](StateVisitor& v) { visit(items[i], v); });
    }
  }
  void tensors(const std::string& name, TensorList& values);

  /// Names within are below `name`.
  void section(const std::string& name, const std::function<void(StateVisitor&)>& visit);

 protected:
  std::string path(const std::string& name) const { return prefix_ + name; }

 private:
  size_t length(const std::string& name, size_t items);

  std::string prefix_;
};

/// What `visit` walks over, copied.
State state_of(const std::function<void(StateVisitor&)>& visit);

/// Puts `state` back into what `visit` walks over; new tensors go to `device`. Throws Error(data)
/// where something is missing or of another shape.
void restore(const State& state,
             at::Device device,
             const std::function<void(StateVisitor&)>& visit);

}  // namespace apo
