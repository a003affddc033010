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

  /// With `map` of each tensor that is there.
  template <class Map>
  Batch mapped(const Map& map) const {
    const auto of = [&](const Tensor& tensor) { return tensor.defined() ? map(tensor) : tensor; };
    return {of(inputs), of(targets), of(weights)};
  }

  template <class Visit>
  void visit_tensors(const Visit& visit) const {
    visit(inputs);
    visit(targets);
    visit(weights);
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
