// What is minimised: a network and a loss, on batches x and x̃.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "apo/base/group.h"
#include "apo/data/batch.h"
#include "apo/loss/loss.h"
#include "apo/model/network.h"
#include "apo/problem/curvature.h"

namespace apo {

struct Problem {
  std::unique_ptr<Network> network;
  std::unique_ptr<Loss> loss;
  std::unique_ptr<Batches> batches;              ///< x
  std::unique_ptr<Batches> discrepancy_batches;  ///< x̃, which only the discrepancy sees
  /// A training stream from its beginning, always the same, that no step draws from; empty: there
  /// is none.
  std::function<std::unique_ptr<Batches>()> statistics_batches = {};
  /// What evaluation goes through; nullptr: there is no such part.
  std::unique_ptr<Examples> train = {};
  std::unique_ptr<Examples> validation = {};
  std::unique_ptr<Examples> test = {};
  /// The expected loss at θ, a scalar, where it is known in closed form: all that evaluation tells.
  std::function<Tensor(const TensorList& theta)> objective = {};
  uint64_t seed = 0;  ///< of targets that are drawn
  /// Those among whom x and x̃ are divided. What is a mean over a batch is, of a rank's part, what
  /// the mean over ranks makes that of the whole.
  Group* group = &alone();
};

/// All forward passes until the next call draw the numbers of step `step`, those of the meta step
/// as those of the base step, if they draw any.
void draw_for_step(Problem& problem, int64_t step);

/// ℓ(f(x, θ)), with its graph where gradients are on. Of a rank's part.
Tensor loss_on(Problem& problem, const Batch& x);

/// ∇_θ of a scalar; 0 of parameters that it does not depend on. Frees the graph.
TensorList gradient(const Tensor& scalar, const TensorList& parameters);

/// The same, of the whole batch: the mean over the ranks of their gradients.
TensorList whole_gradient(Problem& problem, const Tensor& scalar);

/// The second moments of the layers on a batch, for rules that estimate curvature; `draw` numbers
/// the drawing of targets. Leaves buffers untouched. Throws Error(config) where the network notes
/// no layers.
std::vector<LayerMoments> curvature(Problem& problem,
                                    const Batch& x,
                                    const CurvatureOptions& options,
                                    uint64_t draw);

/// θ, the buffers, and where the batches are.
void visit_state(Problem& problem, StateVisitor& visitor);

/// Means over a data set, or over the steps of an epoch. Accuracy is absent where there are no
/// classes.
struct Metrics {
  double loss = 0;
  std::optional<double> accuracy;
};

/// Asked now and then by what takes long; true: it should end.
using Poll = std::function<bool()>;

/// The parts of a problem that it is evaluated on.
enum class Part { train, validation, test };

/// Batches from which statistics are estimated, or a pass where that has fewer.
inline constexpr int64_t kStatisticsBatches = 100;

/// Makes the network's batch statistics those of its parameters as they are: the mean over the
/// first batches of a stream of their own, each of which counts alike. Networks without buffers,
/// and problems without such a stream, stay as they are. False where `interrupted`, polled before
/// each batch, said true: then they are of fewer. Source: Izmailov et al. 2018.
bool estimate_statistics(Problem& problem, const Poll& interrupted);
/// The buffers ← their means over the ranks, each of which has seen its own part of the batches.
void average_buffers(Problem& problem);

/// Examples in a batch of an evaluation, before each of which `interrupted` is polled.
inline constexpr int64_t kEvaluationBatch = 500;

/// Means over a whole part in evaluation mode, of the loss without what is there for training
/// alone; nothing where the problem has no such part, or where `interrupted` says true.
std::optional<Metrics> evaluate(
    Problem& problem, Part part, const Poll& interrupted = [] { return false; });

}  // namespace apo
