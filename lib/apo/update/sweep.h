// One pass over memory for one parameter on the CPU. Every processor and any number of threads
// round alike.
#pragma once

#include "apo/update/steps.h"

namespace apo::sweep {

/// Whether there is a loop for the step: its r is d, d + μ v or d / c / (√(s / b) + ε).
bool has_loop(const ElementwiseStep& step);

// Of parameter i of such a step. Tensors are dense, float32 or float64, of one type, shape and
// order of elements.

/// next ← θ′; next may be θ itself.
void take(const ElementwiseStep& step, size_t i, const Tensor& theta, const Tensor& next);

/// vᵀ ∂θ′/∂η and vᵀ ∂θ′/∂ε.
struct Slopes {
  double rate = 0;
  double epsilon = 0;
};
Slopes slopes(const ElementwiseStep& step, size_t i, const Tensor& theta, const Tensor& v);

/// s ← γ s + (1 − γ) g²
void average_squares(const Tensor& s, const Tensor& g, double decay);

}  // namespace apo::sweep
