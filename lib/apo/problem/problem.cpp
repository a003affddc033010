#include "apo/problem/problem.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/guards.h"
#include "apo/model/taps.h"

namespace apo {
namespace {

void visit_named(const char* kind,
                 const std::vector<std::string>& names,
                 TensorList& tensors,
                 StateVisitor& visitor) {
  for (size_t i = 0; i < tensors.size(); ++i) visitor.shared(kind + names[i], tensors[i]);
}

const Examples* examples_of(const Problem& problem, Part part) {
  if (part == Part::train) return problem.train.get();
  return (part == Part::test ? problem.test : problem.validation).get();
}

/// The rank's examples among [begin, end).
Batch part_of(const Examples& examples, int64_t begin, int64_t end, const Group& group) {
  const Share share = share_of(end - begin, group.rank(), group.size());
  return examples.slice(begin + share.begin, begin + share.begin + share.count);
}

/// Sums over batches, on the device: nothing waits for it before the end.
class MetricSums {
 public:
  MetricSums(const Loss& loss, at::Device device)
      : loss_(loss),
        loss_sum_(at::zeros({}, at::TensorOptions().dtype(at::kDouble).device(device))),
        correct_sum_(at::zeros_like(loss_sum_)),
        weight_sum_(at::zeros_like(loss_sum_)) {}

  void add(const Tensor& z, const Batch& x) {
    const Tensor value = loss_.plain_value(z, x);
    if (x.weights.defined()) {
      add(value, x.weights.sum());
    } else {
      add(value, static_cast<double>(z.size(0)));
    }
    if (!loss_.has_classes()) return;
    correct_sum_ += loss_.correct(z, x);
    positions_ += positions_of(z);
  }

  /// Over all that the ranks have added.
  Metrics means(Group& group) {
    Tensor positions = at::full_like(weight_sum_, positions_);
    average(group, {&loss_sum_, &weight_sum_, &correct_sum_, &positions});
    Metrics metrics{to_double(loss_sum_) / to_double(weight_sum_), {}};
    if (!loss_.has_classes()) return metrics;
    metrics.accuracy = to_double(correct_sum_) / to_double(positions);
    return metrics;
  }

 private:
  template <class Weight>
  void add(const Tensor& value, const Weight& weight) {
    loss_sum_ += value * weight;
    weight_sum_ += weight;
  }

  const Loss& loss_;
  Tensor loss_sum_;
  Tensor correct_sum_;
  Tensor weight_sum_;
  int64_t positions_ = 0;
};

/// Of the whole batch, by those of the rank's part: of B examples b. Γ is of gradients of the loss,
/// which is n b / B of the part's mean; Ω is not.
std::vector<LayerMoments> whole_moments(std::vector<LayerMoments> moments,
                                        const Batch& x,
                                        Group& group) {
  if (group.size() == 1) return moments;
  const auto share =
      static_cast<double>(x.inputs.size(0) * group.size()) / static_cast<double>(x.examples());
  std::vector<Tensor*> all;
  for (LayerMoments& layer : moments) {
    layer.inputs *= share;
    layer.output_gradients /= share;
    all.push_back(&layer.inputs);
    all.push_back(&layer.output_gradients);
  }
  average(group, all);
  return moments;
}

/// As they would be drawn for the whole batch, whoever has which part.
Tensor sampled_targets(Problem& problem,
                       const Tensor& z,
                       const Batch& x,
                       at::Generator& generator) {
  Group& group = *problem.group;
  if (group.size() == 1) return problem.loss->sampled_targets(z, generator);
  std::vector<int64_t> sizes = z.sizes().vec();
  sizes[0] = x.examples();
  Tensor all = at::zeros(sizes, z.options());
  const Share own = share_of(x.examples(), group.rank(), group.size());
  all.narrow(0, own.begin, own.count).copy_(z.detach());
  group.sum(all);
  return problem.loss->sampled_targets(all, generator).narrow(0, own.begin, own.count);
}

}  // namespace

void draw_for_step(Problem& problem, int64_t step) {
  if (!problem.network->draws()) return;
  const at::Generator generator =
      make_generator(problem.seed, RandomStream::network, static_cast<uint64_t>(step));
  // Masks of one rank's examples are none of another's.
  problem.network->draw_from(generator.current_seed() +
                             static_cast<uint64_t>(problem.group->rank()));
}

Tensor loss_on(Problem& problem, const Batch& x) {
  return problem.loss->value(problem.network->forward(x.inputs), x);
}

TensorList gradient(const Tensor& scalar, const TensorList& parameters) {
  TensorList g = torch::autograd::grad({scalar}, parameters, {}, {}, false, /*allow_unused=*/true);
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i].defined()) g[i] = at::zeros_like(parameters[i].detach());
  }
  return g;
}

std::vector<LayerMoments> curvature(Problem& problem,
                                    const Batch& x,
                                    const CurvatureOptions& options,
                                    uint64_t draw) {
  Network& network = *problem.network;
  const at::AutoGradMode with_gradients(true);
  const SwapGuard buffers = kept_buffers(network);
  const TapScope scope;
  const Tensor z = network.forward(x.inputs);
  if (scope.taps().empty()) {
    throw Error(
        ErrorKind::config,
        "optimizer.name = kfac: the problem has no linear or convolutional layers that train; "
        "accepted: the other optimizers");
  }
  const auto moments = [&](const Tensor& loss) {
    return whole_moments(
        layer_moments(scope.taps(), loss, network.parameters(), options.position_stride),
        x,
        *problem.group);
  };
  if (options.fisher == Fisher::empirical) return moments(problem.loss->value(z, x));
  Batch drawn = x;
  at::Generator generator = make_generator(problem.seed, RandomStream::fisher_targets, draw);
  drawn.targets = sampled_targets(problem, z, x, generator);
  return moments(problem.loss->plain_value(z, drawn));
}

void visit_network(Network& network, StateVisitor& visitor) {
  visit_named("parameters/", network.parameter_names(), network.parameters(), visitor);
  visit_named("buffers/", network.buffer_names(), network.buffers(), visitor);
}

void visit_streams(Problem& problem, StateVisitor& visitor) {
  visitor.section("batches", [&](StateVisitor& v) { problem.batches->visit_state(v); });
  visitor.section("discrepancy_batches",
                  [&](StateVisitor& v) { problem.discrepancy_batches->visit_state(v); });
}

void visit_state(Problem& problem, StateVisitor& visitor) {
  visit_network(*problem.network, visitor);
  visit_streams(problem, visitor);
}

bool estimate_statistics(Problem& problem, const Poll& interrupted) {
  if (interrupted()) return false;
  Network& network = *problem.network;
  if (network.buffers().empty() || !problem.statistics_batches) return true;
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Batches> batches = problem.statistics_batches();
  const int64_t count = std::min(kStatisticsBatches, batches->steps_per_pass());
  bool whole = true;
  network.gather_statistics([&] {
    for (int64_t i = 0; i < count && whole; ++i) {
      network.forward(batches->next().inputs);
      whole = !interrupted();
    }
  });
  average_buffers(problem);
  return whole;
}

void average_buffers(Problem& problem) {
  TensorList& buffers = problem.network->buffers();
  if (problem.group->size() == 1 || buffers.empty()) return;
  const at::NoGradGuard no_grad;
  TensorList means = buffers;
  std::vector<Tensor*> all;
  all.reserve(means.size());
  for (Tensor& buffer : means) all.push_back(&buffer);
  average(*problem.group, all);
  for (size_t i = 0; i < means.size(); ++i) buffers[i].copy_(means[i]);
}

std::optional<Metrics> evaluate(Problem& problem, Part part, const Poll& interrupted) {
  const at::NoGradGuard no_grad;
  Network& network = *problem.network;
  if (problem.objective) {
    return Metrics{to_double(problem.objective(network.parameters())), std::nullopt};
  }
  const Examples* examples = examples_of(problem, part);
  if (examples == nullptr) return std::nullopt;
  const EvaluationMode mode(network);
  MetricSums sums(*problem.loss, network.parameters().front().device());
  Group& group = *problem.group;
  const int64_t batch = kEvaluationBatch * group.size();
  for (int64_t begin = 0; begin < examples->size(); begin += batch) {
    if (interrupted()) return std::nullopt;
    const int64_t end = std::min(begin + batch, examples->size());
    const Batch x = part_of(*examples, begin, end, group);
    if (x.inputs.size(0) > 0) sums.add(network.forward(x.inputs), x);
  }
  if (interrupted()) return std::nullopt;
  return sums.means(group);
}

}  // namespace apo
