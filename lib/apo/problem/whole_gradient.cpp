#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>
#include <vector>

#include "apo/problem/problem.h"

namespace apo {
namespace {

/// The gradients of some parameters, one behind the other, on their way to their sum over ranks.
struct Bucket {
  Tensor flat;
  size_t missing = 0;  ///< gradients that have not come yet
};

/// Gradients are copied into buckets as the backward pass makes them, those of the last layers
/// first; a full one is sent. Ranks send in the same order, whatever order theirs are full in.
class Buckets {
 public:
  Buckets(Group& group, const TensorList& parameters)
      : group_(group), parameters_(parameters), slots_(parameters.size()) {
    for (size_t i = parameters.size(); i-- > 0;) {
      const Tensor& parameter = parameters[i];
      if (buckets_.empty() || !fits(parameter)) open(parameter);
      slots_[i] = {buckets_.size() - 1, filled_};
      filled_ += parameter.numel();
      ++buckets_.back().missing;
    }
    close();
  }

  void put(size_t i, const Tensor& gradient) {
    Bucket& bucket = buckets_[slots_[i].bucket];
    place_of(i).copy_(gradient);
    --bucket.missing;
    send_full();
    group_.push();
  }

  /// The parameters' mean gradients: parts of the buckets.
  TensorList means() {
    for (Bucket& bucket : buckets_) bucket.missing = 0;  // what has no gradient has sent none
    send_full();
    group_.finish_sums();
    TensorList means;
    means.reserve(slots_.size());
    for (Bucket& bucket : buckets_) bucket.flat /= static_cast<double>(group_.size());
    for (size_t i = 0; i < slots_.size(); ++i) means.push_back(place_of(i));
    return means;
  }

 private:
  struct Slot {
    size_t bucket = 0;
    int64_t begin = 0;
  };

  bool fits(const Tensor& parameter) const {
    return filled_ * parameter.element_size() < group_.bucket_bytes() &&
           options_.dtype() == parameter.dtype();
  }
  void open(const Tensor& parameter) {
    close();
    buckets_.emplace_back();
    filled_ = 0;
    options_ = parameter.options();
  }
  void close() {
    if (!buckets_.empty()) buckets_.back().flat = at::zeros({filled_}, options_);
  }
  void send_full() {
    for (; sent_ < buckets_.size() && buckets_[sent_].missing == 0; ++sent_) {
      group_.begin_sum(buckets_[sent_].flat);
    }
  }
  /// Laid out as the parameter is.
  Tensor place_of(size_t i) const {
    const Tensor& like = parameters_[i];
    const Tensor& flat = buckets_[slots_[i].bucket].flat;
    return flat.as_strided(like.sizes(), like.strides(), slots_[i].begin);
  }

  Group& group_;
  const TensorList& parameters_;
  std::vector<Slot> slots_;
  std::vector<Bucket> buckets_;
  at::TensorOptions options_;
  int64_t filled_ = 0;
  size_t sent_ = 0;
};

}  // namespace

TensorList whole_gradient(Problem& problem, const Tensor& scalar) {
  TensorList& theta = problem.network->parameters();
  if (problem.group->size() == 1) return gradient(scalar, theta);
  Buckets buckets(*problem.group, theta);
  std::vector<unsigned> hooks;
  hooks.reserve(theta.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    hooks.push_back(theta[i].register_hook([&buckets, i](const Tensor& g) { buckets.put(i, g); }));
  }
  gradient(scalar, theta);
  for (size_t i = 0; i < theta.size(); ++i) theta[i].remove_hook(hooks[i]);
  const at::NoGradGuard no_grad;
  return buckets.means();
}

}  // namespace apo
