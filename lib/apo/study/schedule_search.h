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
/// Differentiable in λ, which may be below 0 while J has a minimum; then on, nothing is finite.
UnrolledRuns unroll_apo(const NoisyQuadraticStudy& study, const Tensor& lambdas);

/// SGD with the rates that minimise each next expected loss, as hypergradient descent and SMD would
/// in the ideal: the short-horizon bias (Wu et al. 2018). One row.
///     η = Σ h² m / Σ h² (h m + 1)
UnrolledRuns unroll_greedy(const NoisyQuadraticStudy& study);

enum class SearchedMethod { sgd, apo };

/// The best schedule of a family, and what it gives.
struct FoundSchedule {
  std::string family;
  Tensor schedule;        ///< η or λ: [iterations]
  Tensor losses;          ///< E[f]: [iterations + 1]
  Tensor learning_rates;  ///< η: [iterations]
};

/// The schedules of the least loss after the last iteration, in this order:
///     fixed            one number, above 0
///     linear           a line, of any sign
///     linear_positive  of λ only: a line whose ends are 0 or more
///     linear_cut       of λ only: a line, and 0 where it is below
///     exponential      e to a line
///     optimal          every value free, 0 or more
/// Source: APO paper, Appendix F, which bounds λ only in its optimal schedule. Its linear loss is
/// that of a line of any sign, linear_positive and linear_cut show what the sign is worth.
/// Differs: L-BFGS on the logarithm of the loss until no step improves it, each family from the
/// best fixed schedule, the optimal from the best exponential one. The paper's 10,000 Adam steps of
/// 0.001 stop short: they move a rate by 10 at most, where SGD's best ones begin at 90. Started at
/// 0.1 and 0.44 they end at 3.6 and 3.1, where the optimum, the same from fourteen starts, is
/// 2.609. `most_evaluations` bounds each family's search.
std::vector<FoundSchedule> search_schedules(const NoisyQuadraticStudy& study,
                                            SearchedMethod method,
                                            int64_t most_evaluations = 5000);

}  // namespace apo
