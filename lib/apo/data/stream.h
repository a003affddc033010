// Batches of a split: of one that lies whole on the training device, or in a mapped file.
#pragma once

#include <cstdint>
#include <memory>

#include "apo/base/ahead.h"
#include "apo/base/group.h"
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
  int64_t rank = 0;  ///< whose part of each batch it gives, of so many ranks' parts
  int64_t ranks = 1;
};

/// Where a stream is: in pass `pass`, of which `examples` have been given.
struct StreamPosition {
  int64_t pass = 0;
  int64_t examples = 0;
};

/// Which examples the batches are of: pass after pass over all, each in a fresh random order, with
/// what augmentation does to them. A pass depends only on (seed, stream, number), drawn whole at
/// its start, so no step works per example on the host and a position is two numbers. The last
/// batch of a pass holds what is left.
class Draws {
 public:
  /// count: of the examples; device: of the tensors that are drawn.
  Draws(int64_t count, const StreamOptions& options, at::Device device);

  struct Draw {
    Tensor chosen;         ///< int64 [B]: the rank's part
    Tensor whole;          ///< int64: of all ranks; undefined: there is one
    Tensor offsets;        ///< int64 [B, 2] in [0, 8], crop_flip only
    Tensor flips;          ///< bool [B], crop_flip only
    StreamPosition after;  ///< where the stream is then
  };
  Draw next();
  void go_to(StreamPosition position);

 private:
  void start_pass();

  int64_t count_;
  StreamOptions options_;
  at::Device device_;
  StreamPosition position_;
  // Of this pass, in the order in which it gives its examples; undefined before the first draw:
  Tensor order_;    // int64 [N]
  Tensor offsets_;  // int64 [N, 2], crop_flip only
  Tensor flips_;    // bool [N], crop_flip only
};

/// An endless sequence of batches, as they are drawn. Those of a mapped file are read some batches
/// ahead on a thread of the stream's own, which begins with the first: order and content are what
/// they would be in memory, to the bit.
class BatchStream : public Batches {
 public:
  /// split, normalisation: of the training set, on the training device or mapped.
  BatchStream(Split split, const Normalisation& normalisation, const StreamOptions& options);

  /// Throws Error(data) where a mapped file has changed.
  Batch next() override;
  int64_t steps_per_pass() const override;

  /// A state fits streams of the same split and options, mapped or not.
  void visit_state(StateVisitor& visitor) override;

 private:
  struct Read {
    Batch examples;
    Draws::Draw draw;
    Tensor share;  ///< Batch::share, where there are several ranks
  };
  Read read();
  Read read_next();
  Tensor share_in(const Draws::Draw& draw) const;

  Split split_;
  StreamOptions options_;
  Tensor scale_;  // [C, 1, 1]: 1 / (255 · deviation); undefined where inputs are taken as they are
  Tensor shift_;  // [C, 1, 1]: −mean / deviation
  StreamPosition position_;
  Draws draws_;                         // of a mapped split the thread's
  std::unique_ptr<Ahead<Read>> ahead_;  // last: it ends before what it uses
};

/// A split in its order, normalised, for evaluation.
class SplitInOrder : public Examples {
 public:
  SplitInOrder(Split split, const Normalisation& normalisation, at::ScalarType dtype);
  int64_t size() const override { return split_.size(); }
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
