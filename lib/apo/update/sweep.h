// One pass over memory for a parameter on the CPU, where a LibTorch formula takes one for each of
// its operations. Every processor and any number of threads round alike.
#pragma once

#include "apo/update/steps.h"

namespace apo::sweep {

/// Whether tensors can be swept as plain arrays: float32 or float64 on the CPU, of one type, shape
/// and order of elements.
bool accepts(const TensorList& tensors);

// Of θ, v and a step whose arrays are accepted together.

/// θ′ into `next`, which may be θ itself.
void take(const ElementwiseStep& step, const Tensor& theta, const Tensor& next);

struct Slopes {
  double rate;
  double epsilon;
};

/// vᵀ ∂θ′/∂η and vᵀ ∂θ′/∂ε.
Slopes slopes(const ElementwiseStep& step, const Tensor& theta, const Tensor& v);

/// s ← γ s + (1 − γ) g²
void average_squares(const Tensor& s, const Tensor& g, double decay);

}  // namespace apo::sweep
