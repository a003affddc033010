// Batches of a split that lies whole on the training device.
#pragma once

#include <cstdint>

#include "apo/base/random.h"
#include "apo/data/batch.h"
#include "apo/data/dataset.h"

namespace apo {

enum class Augmentation {
  none,
  crop_flip,  ///< pad 4 with zeros, random crop of the original size, random horizontal flip
};

struct StreamOptions {
  int64_t batch_size = 100;
  Augmentation augmentation = Augmentation::none;
  uint64_t seed = 0;
  RandomStream stream = RandomStream::training_batches;
  at::ScalarType dtype = at::kFloat;
};

/// Where a stream is: in pass `pass`, of which `examples` have been given.
struct StreamPosition {
  int64_t pass = 0;
  int64_t examples = 0;
};

/// An endless sequence of batches: pass after pass over the split, each in a fresh random order.
/// Order and augmentation of pass e depend only on (seed, stream, e), drawn whole at its start, so
/// no step works per example on the host and a position is two numbers. The last batch of a pass
/// holds what is left.
class BatchStream : public Batches {
 public:
  /// split, normalisation: of the training set, on the training device.
  BatchStream(Split split, const Normalisation& normalisation, const StreamOptions& options);

  Batch next() override;
  int64_t steps_per_pass() const override;

  /// A state fits streams of the same split and options.
  void visit_state(StateVisitor& visitor) override;

 private:
  void start_pass();

  Split split_;
  StreamOptions options_;
  Tensor scale_;  // [C, 1, 1]: 1 / (255 · deviation); undefined where inputs are taken as they are
  Tensor shift_;  // [C, 1, 1]: −mean / deviation
  StreamPosition position_;
  // Of this pass, in the order in which it gives its examples, on the training device:
  Tensor order_;    // int64 [N]
  Tensor offsets_;  // int64 [N, 2] in [0, 8], crop_flip only
  Tensor flips_;    // bool [N], crop_flip only
};

/// A split in its order, normalised, for evaluation.
class SplitInOrder : public Examples {
 public:
  SplitInOrder(Split split, const Normalisation& normalisation, at::ScalarType dtype);
  int64_t size() const override { return split_.targets.size(0); }
  Batch slice(int64_t begin, int64_t end) const override;

 private:
  Split split_;
  at::ScalarType dtype_;
  Tensor scale_;  // as a stream's
  Tensor shift_;
};

/// crop_flip. images: uint8 [B, C, H, W]; offsets: int64 [B, 2], row and column of the crop in the
/// picture padded by 4; flips: bool [B]. One gather on the images' device.
Tensor crop_and_flip(const Tensor& images, const Tensor& offsets, const Tensor& flips);

}  // namespace apo
