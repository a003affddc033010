// φ: the optimizer's hyperparameters, stored transformed: one number per group of parameters or,
// where a rule says so, one array per layer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/base/state.h"
#include "apo/base/tensors.h"

namespace apo {

/// How a hyperparameter is stored, so that a gradient step on it makes sense.
enum class Transform {
  identity,
  log,    ///< stored = ln value; for scales such as η, ε and damping
  logit,  ///< stored = ln(value / (1 − value)); for values in (0, 1)
  /// stored = 16 value; for the power of a mean square s. s is of the order of 1e-7 = e^−16, so
  /// that moving the stored value by one changes the step e-fold, as it does with ln η.
  exponent,
};

/// The sizes of a layer's value, of the parameters of the layer.
using ShapeOf = std::function<std::vector<int64_t>(const TensorList& parameters)>;

/// What an update rule declares of one of its hyperparameters.
struct HyperparameterSpec {
  std::string name;
  Transform transform = Transform::identity;
  double initial = 0;  ///< of all elements
  Range range;         ///< where the configured value may lie, and where a tuned one stays
  /// None: a number per group. What has a shape is an array per layer in either scope, tuned like a
  /// number but not traced.
  ShapeOf shape = {};
};

/// Parameters, and the layer of each: 0, 1…
struct Layers {
  TensorList theta = {};
  std::vector<int64_t> layer_of = {};
};

/// φ as an update formula reads it: [h][i] is the value of hyperparameter h for parameter i, a
/// 0-dim tensor or one of its declared shape. h counts in the rule's declared order.
using HyperparameterValues = std::vector<TensorList>;

/// The values of φ and their stored forms, in float64: the learning rate and the tuned ones on the
/// parameters' device, so that a value that changes never waits for the host; the others on the
/// CPU, where a formula may look at them at no cost. Values change in place.
///
/// A hyperparameter has `groups` values (1: global scope; one per layer: layer scope). `stored` is
/// what the meta-optimizer moves; a stored value that does not move keeps its exact value, so that
/// η = 0.1 stays 0.1 and a tuner that never moves it changes nothing.
class Hyperparameters {
 public:
  /// group_of[i] is the group of parameter i, in [0, groups). `tuned` names some of the specs.
  /// layers: for specs with shapes.
  Hyperparameters(std::vector<HyperparameterSpec> specs,
                  const std::vector<std::string>& tuned,
                  std::vector<int64_t> group_of,
                  int64_t groups,
                  at::Device device,
                  const Layers& layers = {});

  /// Nothing tuned, global scope, for a number of parameters. Pre: no spec has a shape.
  Hyperparameters(std::vector<HyperparameterSpec> specs,
                  size_t parameters,
                  at::Device device = at::kCPU);

  /// Copies are deep.
  Hyperparameters(const Hyperparameters& other);
  Hyperparameters(Hyperparameters&&) = default;
  Hyperparameters& operator=(const Hyperparameters& other);
  Hyperparameters& operator=(Hyperparameters&&) = default;
  ~Hyperparameters() = default;

  const std::vector<HyperparameterSpec>& specs() const { return specs_; }
  /// Positions of the tuned ones among specs().
  const std::vector<size_t>& tuned() const { return tuned_; }
  bool is_scalar(size_t h) const { return shapes_[h].empty(); }
  int64_t groups() const { return groups_; }
  int64_t group_of(size_t parameter) const { return group_of_[parameter]; }
  /// Position among specs(). Pre: the rule declares it.
  size_t index(const std::string& name) const;

  /// [groups], or the elements of all layers in a row; float64.
  const Tensor& value(size_t h) const { return values_[h]; }
  const Tensor& stored(size_t h) const { return stored_[h]; }
  /// The geometric mean of the groups' values, exactly theirs where all are equal; a scalar. Pre: h
  /// is a positive number.
  Tensor mean(size_t h) const;

  // Below, [groups] stands for either.

  /// Sets every group to one value.
  void set(size_t h, double value);
  /// Sets the groups' values, [groups].
  void set(size_t h, const Tensor& value);
  /// Moves the stored form to `target`, [groups], or to the nearest of its range; where that equals
  /// the old one the value stays exactly.
  void move(size_t h, const Tensor& target);

  /// The current values, one per parameter.
  const HyperparameterValues& values() const { return per_parameter_; }
  /// The current values, but for those of `replaced`, which are made from `leaves` ([groups] each):
  /// for derivatives and for trial rates.
  HyperparameterValues values_with(const std::vector<size_t>& replaced,
                                   const TensorList& leaves) const;

  /// d value / d stored at the current value, [groups].
  Tensor derivative(size_t h) const;
  /// Sums over the parameters of each group: [parameters] → [groups] of a scalar.
  Tensor sum_by_group(const Tensor& of_parameters) const;

  void visit_state(StateVisitor& visitor);

 private:
  TensorList spread(size_t h, const Tensor& value) const;

  std::vector<HyperparameterSpec> specs_;
  std::vector<size_t> tuned_;
  std::vector<int64_t> group_of_;
  std::vector<int64_t> layer_of_;
  int64_t groups_;
  std::vector<std::vector<std::vector<int64_t>>> shapes_;  // [h][layer]; of scalars none
  Tensor members_;  // [groups, parameters]: 1 where the parameter is in the group
  TensorList values_;
  TensorList stored_;
  HyperparameterValues per_parameter_;
};

}  // namespace apo
