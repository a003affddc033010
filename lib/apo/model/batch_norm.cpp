#include "apo/model/batch_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <memory>
#include <utility>
#include <vector>

#include "apo/base/group.h"

namespace apo {
namespace {

Tensor sum_over_ranks(const Tensor& t, Group& group);

/// Every rank's loss hangs on every rank's part, and by the same sum. Ranks have the same graph,
/// which each goes through on one thread, later operations first: they come here, and send the
/// buckets of whole_gradient between, in the same order.
class SumBackward : public torch::autograd::Node {
 public:
  SumBackward(Group& group, torch::autograd::edge_list&& next)
      : Node(std::move(next)), group_(group) {}
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!gradients[0].defined()) return {Tensor()};
    return {sum_over_ranks(gradients[0], group_)};
  }

 private:
  Group& group_;
};

/// Σ over ranks of t, with its derivatives in all ranks' t.
Tensor sum_over_ranks(const Tensor& t, Group& group) {
  if (t._fw_grad(0).defined()) {
    const auto [value, tangent] = at::_unpack_dual(t, 0);
    const Tensor both = sum_over_ranks(at::stack({value, tangent}), group);
    return at::_make_dual(both[0], both[1], 0);
  }
  Tensor sum = t.detach().clone(at::MemoryFormat::Contiguous);
  group.sum(sum);
  if (torch::autograd::compute_requires_grad(t)) {
    const std::shared_ptr<SumBackward> node(
        new SumBackward(group, torch::autograd::collect_next_edges(t)),
        torch::autograd::deleteNode);
    torch::autograd::set_history(sum, node);
  }
  return sum;
}

/// As torch::nn::BatchNorm2d, of `count` numbers a channel.
void move_statistics(const BatchNormParts& parts,
                     const Tensor& mean,
                     const Tensor& variance,
                     const Tensor& count) {
  if (!parts.running_mean.defined()) return;
  const at::NoGradGuard no_grad;
  parts.num_batches_tracked.add_(1);
  const std::optional<double> momentum = parts.options.momentum();
  const double weight = momentum ? *momentum : 1 / to_double(parts.num_batches_tracked);
  parts.running_mean.lerp_(mean.detach(), weight);
  parts.running_var.lerp_(variance.detach() * (count / (count - 1)), weight);
}

}  // namespace

/// In two passes, for the mean of squares less the square of the mean is nothing where the mean is
/// large: two messages of a number a channel, and as many in the backward pass.
Tensor normalised_by_whole_batch(const Tensor& x, const BatchNormParts& parts, Group& group) {
  const Tensor wide = x.to(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const int64_t channels = x.size(1);
  std::vector<int64_t> others = {0};
  std::vector<int64_t> along_channels(static_cast<size_t>(x.dim()), 1);
  along_channels[1] = channels;
  for (int64_t axis = 2; axis < x.dim(); ++axis) others.push_back(axis);

  const double own = static_cast<double>(x.numel()) / static_cast<double>(channels);
  const Tensor sums =
      sum_over_ranks(at::cat({wide.sum(others), at::full({1}, own, wide.options())}), group);
  const Tensor count = sums.detach()[channels];
  const Tensor mean = sums.narrow(0, 0, channels) / count;
  const Tensor centred = wide - mean.view(along_channels);
  const Tensor variance = sum_over_ranks(centred.square().sum(others), group) / count;
  move_statistics(parts, mean, variance, count);

  Tensor scale = (variance + parts.options.eps()).rsqrt();
  if (parts.weight.defined()) scale = scale * parts.weight;
  Tensor y = centred * scale.view(along_channels);
  if (parts.bias.defined()) y = y + parts.bias.view(along_channels);
  return y.to(x.scalar_type());
}

}  // namespace apo
