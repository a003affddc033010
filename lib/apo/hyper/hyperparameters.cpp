#include "apo/hyper/hyperparameters.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logit.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/unbind.h>
#include <ATen/ops/where.h>
#include <c10/util/accumulate.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace apo {
namespace {

constexpr double kExponentScale = 16;
/// How far logarithms are moved, e^±69 = 10^±30: an infinite one never comes back.
constexpr double kFarthestLog = 69;

Tensor to_stored(Transform transform, const Tensor& value) {
  switch (transform) {
    case Transform::identity:
      return value.clone();
    case Transform::log:
      return value.log();
    case Transform::logit:
      return value.logit();
    case Transform::exponent:
      return value * kExponentScale;
  }
  throw std::logic_error("unknown transform");
}

Tensor to_value(Transform transform, const Tensor& stored) {
  switch (transform) {
    case Transform::identity:
      return stored.clone();
    case Transform::log:
      return stored.exp();
    case Transform::logit:
      return stored.sigmoid();
    case Transform::exponent:
      return stored / kExponentScale;
  }
  throw std::logic_error("unknown transform");
}

/// The nearest stored value whose value is in the range, and finite.
Tensor within(const HyperparameterSpec& spec, const Tensor& stored) {
  const auto bound = [&spec](double value) {
    return to_stored(spec.transform, at::scalar_tensor(value, at::kDouble)).item<double>();
  };
  double lower = bound(spec.range.lower);
  double upper = bound(spec.range.upper);
  if (spec.transform == Transform::log || spec.transform == Transform::logit) {
    const double begin = bound(spec.initial);  // which a configuration may set farther out
    if (std::isinf(lower)) lower = std::min(-kFarthestLog, begin);
    if (std::isinf(upper)) upper = std::max(kFarthestLog, begin);
  }
  return stored.clamp(lower, upper);
}

using Shape = std::vector<int64_t>;

/// One for each layer; of a scalar none.
std::vector<Shape> shapes_of(const HyperparameterSpec& spec, const Layers& layers) {
  if (!spec.shape) return {};
  std::vector<TensorList> members;
  for (size_t i = 0; i < layers.theta.size(); ++i) {
    const auto layer = static_cast<size_t>(layers.layer_of[i]);
    if (layer >= members.size()) members.resize(layer + 1);
    members[layer].push_back(layers.theta[i]);
  }
  std::vector<Shape> shapes;
  shapes.reserve(members.size());
  for (const TensorList& parameters : members) shapes.push_back(spec.shape(parameters));
  return shapes;
}

/// Elements of each.
std::vector<int64_t> counts_of(const std::vector<Shape>& shapes) {
  std::vector<int64_t> counts;
  counts.reserve(shapes.size());
  for (const Shape& shape : shapes) counts.push_back(c10::multiply_integers(shape));
  return counts;
}

int64_t sum_of(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

/// The parts of a row, each in its shape.
TensorList in_shapes(const Tensor& row, const std::vector<Shape>& shapes) {
  TensorList parts = row.split_with_sizes(counts_of(shapes));
  for (size_t k = 0; k < parts.size(); ++k) parts[k] = parts[k].view(shapes[k]);
  return parts;
}

}  // namespace

Hyperparameters::Hyperparameters(std::vector<HyperparameterSpec> specs,
                                 const std::vector<std::string>& tuned,
                                 std::vector<int64_t> group_of,
                                 int64_t groups,
                                 at::Device device,
                                 const Layers& layers)
    : specs_(std::move(specs)),
      group_of_(std::move(group_of)),
      layer_of_(layers.layer_of),
      groups_(groups) {
  for (const std::string& name : tuned) tuned_.push_back(index(name));
  for (size_t h = 0; h < specs_.size(); ++h) {
    const bool may_change =
        specs_[h].name == "learning_rate" || std::count(tuned_.begin(), tuned_.end(), h) > 0;
    const auto options =
        at::TensorOptions().dtype(at::kDouble).device(may_change ? device : at::kCPU);
    shapes_.push_back(shapes_of(specs_[h], layers));
    const int64_t elements = shapes_[h].empty() ? groups_ : sum_of(counts_of(shapes_[h]));
    values_.push_back(at::full({elements}, specs_[h].initial, options));
    stored_.push_back(to_stored(specs_[h].transform, values_.back()));
    per_parameter_.push_back(spread(h, values_.back()));
  }
  members_ = at::tensor(group_of_, at::kLong).eq(at::arange(groups_, at::kLong).unsqueeze(1));
  members_ = members_.to(device, at::kDouble);
}

Hyperparameters::Hyperparameters(std::vector<HyperparameterSpec> specs,
                                 size_t parameters,
                                 at::Device device)
    : Hyperparameters(std::move(specs), {}, std::vector<int64_t>(parameters, 0), 1, device) {}

Hyperparameters::Hyperparameters(const Hyperparameters& other)
    : specs_(other.specs_),
      tuned_(other.tuned_),
      group_of_(other.group_of_),
      layer_of_(other.layer_of_),
      groups_(other.groups_),
      shapes_(other.shapes_),
      members_(other.members_),
      values_(clone(other.values_)),
      stored_(clone(other.stored_)) {
  for (size_t h = 0; h < specs_.size(); ++h) {
    per_parameter_.push_back(spread(h, values_[h]));
  }
}

Hyperparameters& Hyperparameters::operator=(const Hyperparameters& other) {
  return *this = Hyperparameters(other);
}

size_t Hyperparameters::index(const std::string& name) const {
  for (size_t h = 0; h < specs_.size(); ++h) {
    if (specs_[h].name == name) return h;
  }
  throw std::logic_error("the rule has no hyperparameter '" + name + "'");
}

void Hyperparameters::set(size_t h, double value) {
  set(h, at::full_like(values_[h], value));
}

void Hyperparameters::set(size_t h, const Tensor& value) {
  values_[h].copy_(value);
  stored_[h].copy_(to_stored(specs_[h].transform, values_[h]));
  per_parameter_[h] = spread(h, values_[h]);
}

void Hyperparameters::move(size_t h, const Tensor& target) {
  const Tensor stored = within(specs_[h], target);
  const Tensor value = to_value(specs_[h].transform, stored);
  values_[h].copy_(at::where(stored.eq(stored_[h]), values_[h], value));
  stored_[h].copy_(stored);
  per_parameter_[h] = spread(h, values_[h]);
}

HyperparameterValues Hyperparameters::values_with(const std::vector<size_t>& replaced,
                                                  const TensorList& leaves) const {
  HyperparameterValues values = per_parameter_;
  for (size_t k = 0; k < replaced.size(); ++k) values[replaced[k]] = spread(replaced[k], leaves[k]);
  return values;
}

Tensor Hyperparameters::derivative(size_t h) const {
  const Tensor& value = values_[h];
  switch (specs_[h].transform) {
    case Transform::identity:
      return at::ones_like(value);
    case Transform::log:
      return value.clone();
    case Transform::logit:
      return value * (1 - value);
    case Transform::exponent:
      return at::full_like(value, 1 / kExponentScale);
  }
  throw std::logic_error("unknown transform");
}

Tensor Hyperparameters::mean(size_t h) const {
  const Tensor& value = values_[h];
  if (groups_ == 1) return value;
  return value.log().mean().exp().clamp(value.amin(), value.amax());
}

Tensor Hyperparameters::sum_by_group(const Tensor& of_parameters) const {
  if (groups_ == 1) return of_parameters.sum().view({1});
  return at::mv(members_, of_parameters);
}

void Hyperparameters::visit_state(StateVisitor& visitor) {
  for (size_t h = 0; h < specs_.size(); ++h) {
    visitor.tensor(specs_[h].name, values_[h]);
    visitor.tensor(specs_[h].name + "_stored", stored_[h]);
    if (visitor.restores()) per_parameter_[h] = spread(h, values_[h]);
  }
}

TensorList Hyperparameters::spread(size_t h, const Tensor& value) const {
  const TensorList each = is_scalar(h) ? value.unbind() : in_shapes(value, shapes_[h]);
  const std::vector<int64_t>& part_of = is_scalar(h) ? group_of_ : layer_of_;
  TensorList values;
  values.reserve(part_of.size());
  for (const int64_t part : part_of) values.push_back(each[static_cast<size_t>(part)]);
  return values;
}

}  // namespace apo
