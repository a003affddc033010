// A problem to train on: parameters θ, outputs z = f(x, θ), a loss ℓ(z), and where batches come
// from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/state.h"
#include "apo/base/tensors.h"
#include "apo/data/stream.h"
#include "apo/problem/curvature.h"

namespace apo {

/// Means over a data set, or over the steps of an epoch. Accuracy is absent where there are no
/// classes.
struct Metrics {
  double loss = 0;
  std::optional<double> accuracy;
};

/// Asked now and then by what takes long; true: it should end.
using Poll = std::function<bool()>;

/// The parts of a problem that a split is evaluated on.
enum class Part { train, test };

class Problem {
 public:
  virtual ~Problem() = default;

  /// θ: leaves that require gradients, whose storage the caller may exchange. The names are module
  /// paths.
  virtual TensorList& parameters() = 0;
  virtual const std::vector<std::string>& parameter_names() const = 0;
  /// What a forward pass changes beside its result: BatchNorm's running statistics.
  virtual TensorList& buffers() = 0;

  virtual int64_t steps_per_epoch() const = 0;
  /// x: the next batch of the training stream.
  virtual Batch next_batch() = 0;
  /// x̃: the next batch of the stream that only the discrepancy sees.
  virtual Batch next_discrepancy_batch() = 0;

  /// z = f(x, θ) in training mode: [B, outputs].
  virtual Tensor outputs(const Batch& x) = 0;
  /// f(x, θ) and f(x̃, θ): in one pass where no example's output depends on the others.
  virtual std::pair<Tensor, Tensor> outputs_of_both(const Batch& x, const Batch& x_tilde) {
    Tensor z = outputs(x);
    return {std::move(z), outputs(x_tilde)};
  }
  /// ℓ: the batch mean, a scalar of at least float32.
  virtual Tensor loss(const Tensor& z, const Batch& x) = 0;
  /// Whether z are un-normalised log-probabilities of classes.
  virtual bool has_classes() const { return true; }
  /// How many of the batch z classifies rightly, a scalar; undefined where there are no classes.
  virtual Tensor correct(const Tensor& z, const Batch& x) = 0;

  /// The second moments of the layers on a batch, for rules that estimate curvature; `draw` numbers
  /// the drawing of targets. Leaves buffers untouched.
  virtual std::vector<LayerMoments> curvature(const Batch& x,
                                              const CurvatureOptions& options,
                                              uint64_t draw);

  /// Means over a whole part in evaluation mode; nothing where the problem has no such part, or
  /// where `interrupted`, polled on the way, says true.
  virtual std::optional<Metrics> evaluate(Part part, const Poll& interrupted) = 0;
  std::optional<Metrics> evaluate(Part part) {
    return evaluate(part, [] { return false; });
  }

  /// θ, the buffers, and where the streams of batches are.
  virtual void visit_state(StateVisitor& visitor) = 0;
};

/// g = ∇_θ ℓ. Frees the graph.
TensorList gradient(const Tensor& scalar, const TensorList& parameters);

/// The layer of each parameter: a layer is a module with parameters. Returns layer numbers in order
/// of first appearance, one per name, and fills `layers` with the modules' paths.
std::vector<int64_t> layers_of(const std::vector<std::string>& parameter_names,
                               std::vector<std::string>& layers);

}  // namespace apo
