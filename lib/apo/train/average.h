// Weights averaged over the run, beside those that it trains.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "apo/base/options.h"
#include "apo/base/state.h"
#include "apo/train/observer.h"

namespace apo {

struct AverageOptions {
  double half_life = 0;  ///< h, a share of the steps so far; 0: there is no average
  void visit(OptionVisitor& visitor);
};

/// A mean of θ over the steps t = 1, 2, … whose window grows with the run:
///     θ̄ ← θ̄ + β (θ − θ̄),   β = 1 − (1 − 1/t)^κ,   κ = ln ½ / ln(1 − h)
/// θ after step s and before has (s/t)^κ of the weight at t, so half of it lies within the last h t
/// steps, whatever t: the run's end need not be known. h = ½: the plain mean.
/// Source: Karras et al. 2024, power function averages, with κ = γ + 1; to first order in
/// 1/t the polynomial-decay averages of Shamir & Zhang 2013. Differs: told by h.
/// With h = 0 there is none: nothing happens, nothing is told and nothing is saved.
class WeightAverage {
 public:
  /// θ̄ begins as θ.
  WeightAverage(const AverageOptions& options, const TensorList& theta);

  /// Takes in θ as it is after `steps` steps, at least 1. One pass over θ and θ̄, in place; looks at
  /// no number on the host.
  void add(const TensorList& theta, int64_t steps);

  /// Calls `use` while the problem's network holds θ̄, with batch statistics of its own
  /// (estimate_statistics); then the network is as it was, to the bit. Not where `interrupted` says
  /// true before.
  void lend_to(
      Problem& problem, const std::function<void()>& use, const Poll& interrupted = [] {
        return false;
      });
  /// Of the parts that are asked for.
  std::optional<AverageMetrics> measured(Problem& problem,
                                         bool train,
                                         bool test,
                                         const Poll& interrupted);

  /// Keeps what was measured, each part until it is measured anew.
  void note(const std::optional<AverageMetrics>& measured);
  const std::optional<AverageMetrics>& last() const { return last_; }

  /// The state: θ̄, and what was measured of it.
  void visit_values(StateVisitor& visitor);
  void visit_measured(StateVisitor& visitor);

 private:
  bool exists() const { return last_.has_value(); }

  double power_;  // κ
  TensorList values_;
  std::optional<AverageMetrics> last_;
};

}  // namespace apo
