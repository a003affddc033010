#include "apo/update/foreach.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/stack.h>

#include <algorithm>

namespace apo::foreach {
namespace {

/// One of the tensors of each step.
TensorList each(const ElementwiseSteps& steps, Tensor ElementwiseStep::*member) {
  TensorList tensors;
  for (const ElementwiseStep& step : steps) tensors.push_back(step.*member);
  return tensors;
}

bool are_one(const TensorList& numbers) {
  const auto same = [&](const Tensor& number) {
    return number.is_alias_of(numbers.front()) &&
           number.storage_offset() == numbers.front().storage_offset();
  };
  return std::all_of(numbers.begin(), numbers.end(), same);
}

/// The number that all share, in the type of the arrays, as kernels for many arrays want it.
Tensor shared(const TensorList& numbers, const TensorList& arrays) {
  return numbers.front().reshape({}).to(arrays.front().scalar_type());
}

/// Those on the host, beside arrays on a device, go with the kernels' arguments.
void add_each(const TensorList& arrays, const TensorList& numbers) {
  if (numbers.front().device() != arrays.front().device()) {
    std::vector<at::Scalar> scalars;
    for (const Tensor& number : numbers) scalars.push_back(number.item());
    return at::_foreach_add_(arrays, scalars);
  }
  if (are_one(numbers)) return at::_foreach_add_(arrays, shared(numbers, arrays));
  at::_foreach_add_(arrays, numbers);
}

TensorList multiplied(const TensorList& arrays, const TensorList& numbers) {
  if (are_one(numbers)) return at::_foreach_mul(arrays, shared(numbers, arrays));
  return at::_foreach_mul(arrays, numbers);
}

/// arrays / numbers, where no number means 1.
TensorList divided(const TensorList& arrays, const TensorList& numbers) {
  if (!numbers.front().defined()) return arrays;
  return at::_foreach_div(arrays, shared(numbers, arrays));
}

/// √(s / b) + ε
TensorList denominators(const ElementwiseSteps& steps) {
  TensorList squares = divided(each(steps, &ElementwiseStep::other),
                               each(steps, &ElementwiseStep::square_correction));
  TensorList roots = at::_foreach_sqrt(squares);
  add_each(roots, each(steps, &ElementwiseStep::epsilon));
  return roots;
}

/// r, which may be d itself.
TensorList ratios(const ElementwiseSteps& steps) {
  TensorList d = each(steps, &ElementwiseStep::direction);
  switch (steps.front().kind) {
    case StepKind::plain:
      return d;
    case StepKind::nesterov:
      return at::_foreach_add(d, each(steps, &ElementwiseStep::other), steps.front().momentum);
    case StepKind::adaptive:
      return at::_foreach_div(divided(d, each(steps, &ElementwiseStep::mean_correction)),
                              denominators(steps));
  }
  return d;
}

/// r + w θ
TensorList decayed(const ElementwiseSteps& steps, const TensorList& r, const TensorList& theta) {
  const double w = steps.front().decay;
  return w == 0 ? r : at::_foreach_add(r, theta, w);
}

/// η (r + w θ), in storage of its own.
TensorList moves(const ElementwiseSteps& steps, const TensorList& theta) {
  const TensorList r = decayed(steps, ratios(steps), theta);
  return multiplied(r, each(steps, &ElementwiseStep::rate));
}

/// Sums in float64: [arrays].
Tensor sums(const TensorList& arrays) {
  TensorList all;
  for (const Tensor& array : arrays) all.push_back(array.sum(at::kDouble));
  return at::stack(all);
}

}  // namespace

bool accepts(const TensorList& tensors) {
  const Tensor& first = tensors.front();
  return first.is_floating_point() &&
         std::all_of(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
           return tensor.scalar_type() == first.scalar_type() && tensor.sizes() == first.sizes();
         });
}

void take_in_place(const ElementwiseSteps& steps, const TensorList& theta) {
  at::_foreach_sub_(theta, moves(steps, theta));
}

TensorList taken(const ElementwiseSteps& steps, const TensorList& theta) {
  return at::_foreach_sub(theta, moves(steps, theta));
}

Slopes slopes(const ElementwiseSteps& steps, const TensorList& theta, const TensorList& v) {
  const TensorList r = ratios(steps);
  Slopes all;
  all.rate = -sums(at::_foreach_mul(decayed(steps, r, theta), v));
  if (steps.front().kind != StepKind::adaptive) return all;
  const TensorList of_epsilon =
      multiplied(at::_foreach_div(r, denominators(steps)), each(steps, &ElementwiseStep::rate));
  all.epsilon = sums(at::_foreach_mul(of_epsilon, v));
  return all;
}

void average_squares(const TensorList& s, const TensorList& g, double decay) {
  at::_foreach_mul_(s, decay);
  at::_foreach_addcmul_(s, g, g, 1 - decay);
}

void gather(const TensorList& v, const TensorList& g, double decay) {
  at::_foreach_mul_(v, decay);
  at::_foreach_add_(v, g);
}

}  // namespace apo::foreach
