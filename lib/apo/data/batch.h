// What a network is shown: examples with their targets, batch after batch.
#pragma once

#include <cstdint>

#include "apo/base/state.h"
#include "apo/base/tensors.h"

namespace apo {

/// inputs: [B, …], of whatever type the network reads. targets: what the loss compares with: int64
/// classes, [B] or one per position [B, …], or real numbers of the outputs' shape.
struct Batch {
  Tensor inputs;
  Tensor targets;
  Tensor weights = {};  ///< ≥ 0, [B] or one per position; undefined: all are 1
  // Of a rank's part of a batch (base/group.h):
  int64_t of = 0;     ///< examples in the whole; 0: this is the whole
  Tensor share = {};  ///< its share of the whole's weight, times the ranks: a scalar; undefined: 1

  /// In the whole batch.
  int64_t examples() const { return of > 0 ? of : inputs.size(0); }

  /// With `map` of each tensor of examples that is there.
  template <class Map>
  Batch mapped(const Map& map) const {
    const auto each = [&](const Tensor& tensor) { return tensor.defined() ? map(tensor) : tensor; };
    return {each(inputs), each(targets), each(weights), of, share};
  }

  template <class Visit>
  void visit_tensors(const Visit& visit) const {
    visit(inputs);
    visit(targets);
    visit(weights);
    visit(share);
  }
};

/// An endless sequence of batches, pass after pass.
class Batches {
 public:
  virtual ~Batches() = default;
  virtual Batch next() = 0;
  virtual int64_t steps_per_pass() const = 0;
  /// Where the sequence is.
  virtual void visit_state(StateVisitor& visitor) = 0;
};

/// The examples of a split in their order, for evaluation.
class Examples {
 public:
  virtual ~Examples() = default;
  virtual int64_t size() const = 0;
  /// Examples [begin, end).
  virtual Batch slice(int64_t begin, int64_t end) const = 0;
};

}  // namespace apo
