// Line searches for the learning rate on the proximal objective, by forward passes alone.
#pragma once

#include "apo/objective/proximal.h"
#include "apo/tuning/tuner.h"

namespace apo {

/// Whether a rate may be judged by x, or it has no examples at all.
bool has_enough_examples(const Batch& x);

/// x, or where it has only a few examples, which need not be like the others, with more of them
/// from x̃'s stream. For problems whose batches have inputs.
Batch enough_examples(Problem& problem, const Batch& x);

/// ℓ(f(x, θ)). Restores everything.
double loss_of(Problem& problem, const Batch& x);

/// The minimiser of J over rates from 1e-8 to 1e2, four per decade, the same for every layer.
/// [groups].
Tensor search_all_rates(ProximalObjective& objective,
                        const Hyperparameters& phi,
                        const Poll& interrupted);

/// The minimiser of J over multiples of `rates`, [groups], from 1e-8 to 1e2, four per decade; the
/// ratios between layers stay. None below 1e-8, so that searches cannot follow each other down.
/// [groups].
Tensor search_multiples(ProximalObjective& objective,
                        const Hyperparameters& phi,
                        const Tensor& rates);

/// Whether J has its minimum within a factor ten of `rates`, [groups]: smaller there than at a
/// tenth and at ten times of them.
bool is_near_minimum(ProximalObjective& objective, const Hyperparameters& phi, const Tensor& rates);

/// Whether the loss stays below `limit` in a trial: `steps` base steps from where the run is, the
/// first of them the pending one, at φ, the others on batches of x̃'s stream. The loss is that of
/// the same examples after every step, `judge`, or where it has none that of each step's own batch.
/// Restores everything but that stream.
bool survives_trial(const StepContext& context,
                    const Hyperparameters& phi,
                    int64_t steps,
                    double limit,
                    const Batch& judge);

/// `rate`, or the first below it, by halves, that survives such a trial.
double harmless_rate(double rate,
                     const StepContext& context,
                     Hyperparameters phi,
                     int64_t steps,
                     double limit,
                     const Batch& judge);

}  // namespace apo
