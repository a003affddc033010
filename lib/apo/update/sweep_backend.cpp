#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "apo/update/sweep.h"

namespace apo {
namespace {

/// Whether a tensor can be swept as a plain array.
bool is_sweepable(const Tensor& tensor) {
  return tensor.is_cpu() && tensor.is_non_overlapping_and_dense() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble);
}

/// Whether another tensor can be swept beside it.
bool lies_like(const Tensor& first, const Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == first.scalar_type() &&
         tensor.sizes() == first.sizes() && tensor.strides() == first.strides();
}

/// One pass over memory for a parameter, where evaluate takes one for each of its operations.
class Sweep : public StepBackend {
 public:
  bool accepts(const ElementwiseStep& step, const TensorList& theta) const override {
    if (!sweep::has_loop(step)) return false;
    if (!std::all_of(theta.begin(), theta.end(), is_sweepable)) return false;
    const auto is_beside = [&](const TensorList& arrays) {
      return arrays.empty() || std::equal(theta.begin(), theta.end(), arrays.begin(), lies_like);
    };
    return is_beside(step.direction) && is_beside(step.velocity) && is_beside(step.square);
  }

  void take_in_place(const ElementwiseStep& step, const TensorList& theta) const override {
    for (size_t i = 0; i < theta.size(); ++i) sweep::take(step, i, theta[i], theta[i]);
  }

  TensorList taken(const ElementwiseStep& step, const TensorList& theta) const override {
    TensorList next;
    next.reserve(theta.size());
    for (size_t i = 0; i < theta.size(); ++i) {
      next.push_back(at::empty_like(theta[i].detach()));
      sweep::take(step, i, theta[i], next[i]);
    }
    return next;
  }

  Slopes slopes(const ElementwiseStep& step,
                const TensorList& theta,
                const TensorList& v) const override {
    const auto count = static_cast<int64_t>(theta.size());
    Slopes all{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble)};
    auto* rate = all.rate.mutable_data_ptr<double>();
    auto* epsilon = all.epsilon.mutable_data_ptr<double>();
    for (size_t i = 0; i < theta.size(); ++i) {
      const sweep::Slopes sums = sweep::slopes(step, i, theta[i], v[i]);
      rate[i] = sums.rate;
      epsilon[i] = sums.epsilon;
    }
    return all;
  }

  void average_squares(const TensorList& s, const TensorList& g, double decay) const override {
    for (size_t i = 0; i < s.size(); ++i) {
      if (is_sweepable(s[i]) && lies_like(s[i], g[i])) {
        sweep::average_squares(s[i], g[i], decay);
      } else {
        s[i].mul_(decay).addcmul_(g[i], g[i], 1 - decay);
      }
    }
  }

  void gather(const TensorList& v, const TensorList& g, double decay) const override {
    for (size_t i = 0; i < v.size(); ++i) {
      Tensor sum = v[i];
      at::add_out(sum, g[i], v[i], decay);
    }
  }
};

}  // namespace

const StepBackend& sweep_backend() {
  static const Sweep backend;
  return backend;
}

}  // namespace apo
