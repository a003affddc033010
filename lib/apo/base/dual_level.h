// Forward-mode differentiation.
#pragma once

#include <torch/csrc/autograd/forward_grad.h>

#include <cstdint>

namespace apo {

/// A level of forward-mode differentiation: when it ends, so do its tangents.
class DualLevel {
 public:
  DualLevel() : index_(torch::autograd::ForwardADLevel::get_next_idx()) {}
  ~DualLevel() { torch::autograd::ForwardADLevel::release_idx(index_); }
  DualLevel(const DualLevel&) = delete;
  DualLevel& operator=(const DualLevel&) = delete;
  int64_t index() const { return static_cast<int64_t>(index_); }

 private:
  uint64_t index_;
};

}  // namespace apo
