// Scoped guards: what a meta pass changes in the network, undone to the bit when the scope ends.
#pragma once

#include "apo/base/tensors.h"

namespace apo {

/// Lets `tensors` hold `values` until the scope ends. Storage is exchanged, nothing is copied.
class SwapGuard {
 public:
  SwapGuard(TensorList& tensors, const TensorList& values);
  ~SwapGuard();
  SwapGuard(const SwapGuard&) = delete;
  SwapGuard& operator=(const SwapGuard&) = delete;

 private:
  TensorList& tensors_;
  TensorList originals_;
};

}  // namespace apo
