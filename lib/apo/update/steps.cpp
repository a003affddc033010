#include "apo/update/steps.h"

#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "apo/update/foreach.h"
#include "apo/update/sweep.h"

namespace apo {
namespace {

bool on_host(const TensorList& theta) {
  return theta.front().is_cpu();
}

/// v with its elements in the order of θ's.
Tensor in_order_of(const Tensor& theta, const Tensor& v) {
  if (v.strides() == theta.strides()) return v;
  return at::empty_like(theta.detach()).copy_(v);
}

}  // namespace

bool can_take(const ElementwiseSteps& steps, const TensorList& theta) {
  for (size_t i = 0; i < theta.size(); ++i) {
    TensorList arrays = {theta[i], steps[i].direction};
    if (steps[i].other.defined()) arrays.push_back(steps[i].other);
    if (!(on_host(theta) ? sweep::accepts(arrays) : foreach::accepts(arrays))) return false;
  }
  return true;
}

void take_in_place(const ElementwiseSteps& steps, const TensorList& theta) {
  if (!on_host(theta)) return foreach::take_in_place(steps, theta);
  for (size_t i = 0; i < theta.size(); ++i) sweep::take(steps[i], theta[i], theta[i]);
}

TensorList taken(const ElementwiseSteps& steps, const TensorList& theta) {
  if (!on_host(theta)) return foreach::taken(steps, theta);
  TensorList next;
  for (size_t i = 0; i < theta.size(); ++i) {
    next.push_back(at::empty_like(theta[i].detach()));
    sweep::take(steps[i], theta[i], next[i]);
  }
  return next;
}

Slopes slopes(const ElementwiseSteps& steps, const TensorList& theta, const TensorList& v) {
  TensorList ordered;
  for (size_t i = 0; i < theta.size(); ++i) ordered.push_back(in_order_of(theta[i], v[i]));
  if (!on_host(theta)) return foreach::slopes(steps, theta, ordered);
  const auto count = static_cast<int64_t>(theta.size());
  Slopes all{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble)};
  auto* rate = all.rate.mutable_data_ptr<double>();
  auto* epsilon = all.epsilon.mutable_data_ptr<double>();
  for (size_t i = 0; i < theta.size(); ++i) {
    const sweep::Slopes of_one = sweep::slopes(steps[i], theta[i], ordered[i]);
    rate[i] = of_one.rate;
    epsilon[i] = of_one.epsilon;
  }
  return all;
}

void average_squares(const TensorList& s, const TensorList& g, double decay) {
  if (!on_host(s)) return foreach::average_squares(s, g, decay);
  for (size_t i = 0; i < s.size(); ++i) {
    if (sweep::accepts({s[i], g[i]})) {
      sweep::average_squares(s[i], g[i], decay);
    } else {
      s[i].mul_(decay).addcmul_(g[i], g[i], 1 - decay);
    }
  }
}

void gather(const TensorList& v, const TensorList& g, double decay) {
  if (!on_host(v)) return foreach::gather(v, g, decay);
  for (size_t i = 0; i < v.size(); ++i) {
    Tensor sum = v[i];
    at::add_out(sum, g[i], v[i], decay);
  }
}

}  // namespace apo
