#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "apo/update/steps.h"

namespace apo {
namespace {

bool are_one(const TensorList& numbers) {
  const auto same = [&](const Tensor& number) {
    return number.is_alias_of(numbers.front()) &&
           number.storage_offset() == numbers.front().storage_offset();
  };
  return std::all_of(numbers.begin(), numbers.end(), same);
}

/// A number for all arrays, in their type, as kernels for many arrays want it.
Tensor shared(const Tensor& number, const TensorList& arrays) {
  return number.reshape({}).to(arrays.front().scalar_type());
}

/// Those on the host, beside arrays on a device, go with the kernels' arguments.
void add_each(const TensorList& arrays, const TensorList& numbers) {
  if (numbers.front().device() != arrays.front().device()) {
    std::vector<at::Scalar> scalars;
    scalars.reserve(numbers.size());
    for (const Tensor& number : numbers) scalars.push_back(number.item());
    return at::_foreach_add_(arrays, scalars);
  }
  if (are_one(numbers)) return at::_foreach_add_(arrays, shared(numbers.front(), arrays));
  at::_foreach_add_(arrays, numbers);
}

TensorList multiplied(const TensorList& arrays, const TensorList& numbers) {
  if (are_one(numbers)) return at::_foreach_mul(arrays, shared(numbers.front(), arrays));
  return at::_foreach_mul(arrays, numbers);
}

/// arrays / number, where no number means 1.
TensorList divided(const TensorList& arrays, const Tensor& number) {
  return number.defined() ? at::_foreach_div(arrays, shared(number, arrays)) : arrays;
}

/// √(s / b) + ε
TensorList denominators(const ElementwiseStep& step) {
  TensorList roots = at::_foreach_sqrt(divided(step.square, step.square_correction));
  add_each(roots, step.epsilon);
  return roots;
}

/// r, which may be d itself.
TensorList ratios(const ElementwiseStep& step) {
  TensorList r = divided(step.direction, step.direction_correction);
  if (!step.velocity.empty()) r = at::_foreach_add(r, step.velocity, step.momentum);
  return step.square.empty() ? r : at::_foreach_div(r, denominators(step));
}

/// r + w θ
TensorList decayed(const ElementwiseStep& step, const TensorList& r, const TensorList& theta) {
  return step.decay == 0 ? r : at::_foreach_add(r, theta, step.decay);
}

/// s θ
TensorList scheduled(const ElementwiseStep& step, const TensorList& theta) {
  return step.schedule.defined() ? at::_foreach_mul(theta, shared(step.schedule, theta)) : theta;
}

/// η (r + w θ) + s ω θ, in storage of its own.
TensorList moves(const ElementwiseStep& step, const TensorList& theta) {
  TensorList moves = multiplied(decayed(step, ratios(step), theta), step.rate);
  if (step.shrinkage != 0) at::_foreach_add_(moves, scheduled(step, theta), step.shrinkage);
  return moves;
}

/// Sums in float64: [arrays].
Tensor sums(const TensorList& arrays) {
  TensorList all;
  all.reserve(arrays.size());
  for (const Tensor& array : arrays) all.push_back(array.sum(at::kDouble));
  return at::stack(all);
}

/// All parameters together, a few kernels for them all.
class Foreach : public StepBackend {
 public:
  /// Of floating-point numbers, of one type and shape for each parameter.
  bool accepts(const ElementwiseStep& step, const TensorList& theta) const override {
    for (const TensorList* arrays : {&step.direction, &step.velocity, &step.square}) {
      for (size_t i = 0; i < arrays->size(); ++i) {
        const Tensor& array = (*arrays)[i];
        if (!array.is_floating_point() || array.scalar_type() != theta[i].scalar_type() ||
            array.sizes() != theta[i].sizes()) {
          return false;
        }
      }
    }
    return true;
  }

  void take_in_place(const ElementwiseStep& step, const TensorList& theta) const override {
    at::_foreach_sub_(theta, moves(step, theta));
  }

  TensorList taken(const ElementwiseStep& step, const TensorList& theta) const override {
    return at::_foreach_sub(theta, moves(step, theta));
  }

  Slopes slopes(const ElementwiseStep& step,
                const TensorList& theta,
                const TensorList& v) const override {
    const TensorList r = ratios(step);
    Slopes all;
    all.rate = -sums(at::_foreach_mul(decayed(step, r, theta), v));
    if (step.square.empty()) return all;
    const TensorList of_epsilon = multiplied(at::_foreach_div(r, denominators(step)), step.rate);
    all.epsilon = sums(at::_foreach_mul(of_epsilon, v));
    return all;
  }

  void average_squares(const TensorList& s, const TensorList& g, double decay) const override {
    at::_foreach_mul_(s, decay);
    at::_foreach_addcmul_(s, g, g, 1 - decay);
  }

  void gather(const TensorList& v, const TensorList& g, double decay) const override {
    at::_foreach_mul_(v, decay);
    at::_foreach_add_(v, g);
  }
};

}  // namespace

const StepBackend& foreach_backend() {
  static const Foreach backend;
  return backend;
}

}  // namespace apo
