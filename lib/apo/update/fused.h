// Elementwise updates and their derivatives in one pass over memory, where a LibTorch formula takes
// one for each of its operations.
#pragma once

#include "apo/base/tensors.h"

namespace apo::fused {

/// Whether tensors can be swept as plain arrays: float32 or float64 on the CPU, of one type, shape
/// and order of elements.
bool accepts(const TensorList& tensors);

/// s ← γ s + (1 − γ) g², in one pass where it can.
void mean_square(const Tensor& s, const Tensor& g, double decay);

enum class Kind { plain, nesterov, adaptive };

/// The step of one parameter:
///     θ′ = θ − η (r + w θ),  r = d  |  d + μ v  |  d / c / (√(s / b) + ε)
struct Step {
  Kind kind = Kind::plain;
  Tensor direction = {};         ///< d
  Tensor other = {};             ///< v or s; none where the step is plain
  double rate = 0;               ///< η
  double momentum = 0;           ///< μ
  double epsilon = 0;            ///< ε
  double mean_correction = 1;    ///< c
  double square_correction = 1;  ///< b
  double decay = 0;              ///< w
};

// Of θ, v and a step whose arrays are accepted together. Every processor and any number of threads
// round alike.

/// θ′ into `next`, which may be θ itself.
void take(const Step& step, const Tensor& theta, const Tensor& next);

struct Slopes {
  double rate;
  double epsilon;
};

/// vᵀ ∂θ′/∂η and vᵀ ∂θ′/∂ε.
Slopes slopes(const Step& step, const Tensor& theta, const Tensor& v);

}  // namespace apo::fused
