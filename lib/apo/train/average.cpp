#include "apo/train/average.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>

#include <cmath>

#include "apo/base/guards.h"
#include "apo/train/scores.h"

namespace apo {

void AverageOptions::visit(OptionVisitor& visitor) {
  visitor.real("half_life",
               half_life,
               Range::half_open(0, 1),
               "h: half of the weight lies within the last h t of t steps; 0: no average");
}

WeightAverage::WeightAverage(const AverageOptions& options, const TensorList& theta)
    : power_(-std::log(2.0) / std::log1p(-options.half_life)) {
  if (options.half_life == 0) return;
  values_ = clone(theta);
  last_.emplace();
}

void WeightAverage::add(const TensorList& theta, int64_t steps) {
  if (!exists()) return;
  const at::NoGradGuard no_grad;
  const double kept = power_ * std::log1p(-1 / static_cast<double>(steps));  // its logarithm
  at::_foreach_lerp_(values_, theta, -std::expm1(kept));
}

void WeightAverage::lend_to(Problem& problem,
                            const std::function<void()>& use,
                            const Poll& interrupted) {
  if (!exists()) return;
  Network& network = *problem.network;
  const SwapGuard buffers = kept_buffers(network);
  const SwapGuard parameters(network.parameters(), values_);
  if (estimate_statistics(problem, interrupted)) use();
}

std::optional<AverageMetrics> WeightAverage::measured(Problem& problem,
                                                      bool train,
                                                      bool test,
                                                      const Poll& interrupted) {
  if (!exists()) return std::nullopt;
  AverageMetrics metrics;
  if (!train && !test) return metrics;
  const auto use = [&] {
    if (train) metrics.train = evaluate(problem, Part::train, interrupted);
    if (test) metrics.test = evaluate(problem, Part::test, interrupted);
  };
  lend_to(problem, use, interrupted);
  return metrics;
}

void WeightAverage::note(const std::optional<AverageMetrics>& measured) {
  if (!measured) return;
  if (measured->train) last_->train = measured->train;
  if (measured->test) last_->test = measured->test;
}

void WeightAverage::visit_measured(StateVisitor& visitor) {
  if (!exists()) return;
  visitor.section("average", [this](StateVisitor& v) {
    visit_metrics("train", last_->train, v);
    visit_metrics("test", last_->test, v);
  });
}

void WeightAverage::visit_values(StateVisitor& visitor) {
  if (!exists()) return;
  visitor.section("average", [this](StateVisitor& v) { v.tensors("at", values_); });
}

}  // namespace apo
