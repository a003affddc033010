// The family of losses ℓ(z): what the outputs of a batch cost.
#pragma once

#include <memory>

#include "apo/base/random.h"
#include "apo/base/registry.h"
#include "apo/data/batch.h"

namespace apo {

/// Outputs are z: [B, …, outputs]; what stands between is positions, which count as examples do.
class Loss {
 public:
  virtual ~Loss() = default;
  /// What training minimises, the mean over examples and positions, by their weights: a scalar of
  /// at least float32.
  virtual Tensor value(const Tensor& z, const Batch& x) const = 0;
  /// The same without what is there for training alone: what evaluation reports, and −ln p(y|z) of
  /// sampled targets y.
  virtual Tensor plain_value(const Tensor& z, const Batch& x) const { return value(z, x); }
  /// Whether z are un-normalised log-probabilities of classes.
  virtual bool has_classes() const { return false; }
  /// How many positions z classifies rightly, a scalar; undefined where there are no classes.
  virtual Tensor correct(const Tensor&, const Batch&) const { return {}; }
  /// Targets drawn from the network's own predictions, for the Fisher matrix. Of a regression they
  /// are normal: those of ‖z − y‖².
  virtual Tensor sampled_targets(const Tensor& z, at::Generator& generator) const;
};

struct CrossEntropyOptions {
  double label_smoothing = 0;
  void visit(OptionVisitor& visitor);
};

/// Softmax cross-entropy. targets: int64, the shape of z without its last dimension.
std::unique_ptr<Loss> make_cross_entropy(const CrossEntropyOptions& options = {});
/// ‖z − y‖² over the outputs of a position. targets: the shape of z.
std::unique_ptr<Loss> make_squared_error();

/// Those that a configuration chooses from.
const Registry<Loss>& losses();

/// How many positions there are in z.
inline int64_t positions_of(const Tensor& z) {
  return z.numel() / z.size(-1);
}

/// The mean of what is given for each position [B, …], by the batch's weights. Of a rank's part it
/// is such that the mean over ranks is that of the whole batch.
Tensor weighted_mean(const Tensor& values, const Batch& x);
/// The same of what is the mean over the rank's part.
Tensor by_share(const Tensor& mean, const Batch& x);

}  // namespace apo
