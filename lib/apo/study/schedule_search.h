// The best schedules for the noisy quadratic, found by gradients through the whole unrolled run
// (APO paper, Appendix F, Table 2).
#pragma once

#include <string>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// f(x) = s xᵀ H x with s = ½, seen as s (x − c)ᵀ H (x − c) with cᵢ from N(0, 1/hᵢ). In expectation
/// over c, only the second moments mᵢ = E[xᵢ²] matter. With s = 1 every loss doubles, every η
/// halves.
struct NoisyQuadraticStudy {
  int64_t dimension = 1000;
  double lowest_curvature = 0.01;  ///< h evenly from it to 1
  double start = 100;              ///< every xᵢ
  int64_t iterations = 300;
};

/// What a run of each row of schedules gives; row r belongs to schedule r.
struct UnrolledRuns {
  Tensor losses;          ///< E[f]: [R, iterations + 1]
  Tensor learning_rates;  ///< η: [R, iterations]
};

/// SGD with the rates η, [R, iterations]:
///     m ← (1 − η h)² m + η² h
/// Differentiable in η.
UnrolledRuns unroll_sgd(const NoisyQuadraticStudy& study, const Tensor& learning_rates);

/// SGD + APO with the weights λ, [R, iterations]: each η minimises J(η) = f̃(x − η g) + λ ‖η g‖²,
/// whose minimiser is, with expectations taken of both sums,
///     η = Σ E[g²] / (Σ h E[g²] + 2 λ Σ E[g²]),  E[gᵢ²] = hᵢ² mᵢ + hᵢ
/// Differentiable in λ.
UnrolledRuns unroll_apo(const NoisyQuadraticStudy& study, const Tensor& lambdas);

/// SGD with the rates that minimise each next expected loss, as hypergradient descent and SMD would
/// in the ideal: the short-horizon bias (Wu et al. 2018). One row.
///     η = Σ h² m / Σ h² (h m + 1)
UnrolledRuns unroll_greedy(const NoisyQuadraticStudy& study);

/// The families of schedules, in the order of the rows: fixed (one number), linear and exponential
/// (first and last value), optimal (every value free). All are positive.
const std::vector<std::string>& schedule_families();

struct FoundSchedules {
  Tensor schedules;   ///< η or λ: [families, iterations]
  UnrolledRuns runs;  ///< what they give
};

enum class SearchedMethod { sgd, apo };

/// Adam, on the logarithms of the families' numbers, minimises the loss after the last iteration.
/// The paper's search: 10,000 steps with learning rate 0.001.
FoundSchedules search_schedules(const NoisyQuadraticStudy& study,
                                SearchedMethod method,
                                int64_t adam_steps = 10'000,
                                double adam_learning_rate = 1e-3);

}  // namespace apo
