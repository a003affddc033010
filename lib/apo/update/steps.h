// The base steps of all parameters as data, for whatever takes them in the fewest passes: one sweep
// over memory on the CPU, a few kernels for all parameters together on another device.
#pragma once

#include "apo/base/tensors.h"

namespace apo {

enum class StepKind { plain, nesterov, adaptive };

/// The step of one parameter:
///     θ′ = θ − η (r + w θ),  r = d  |  d + μ v  |  d / c / (√(s / b) + ε)
/// Numbers that change in the course of a run are scalars, on the CPU or on θ's device.
struct ElementwiseStep {
  StepKind kind = StepKind::plain;
  Tensor direction = {};          ///< d
  Tensor other = {};              ///< v or s; none where the step is plain
  Tensor rate = {};               ///< η
  Tensor epsilon = {};            ///< ε; none but where it is adaptive
  Tensor mean_correction = {};    ///< c; none: 1
  Tensor square_correction = {};  ///< b; none: 1
  double momentum = 0;            ///< μ
  double decay = 0;               ///< w
};

/// One per parameter, all of one kind, with the same μ and w.
using ElementwiseSteps = std::vector<ElementwiseStep>;

/// Whether the steps can be taken so. On the CPU: the arrays of each parameter are dense, of one
/// type and in one order of elements.
bool can_take(const ElementwiseSteps& steps, const TensorList& theta);

// Of steps that can be taken.

/// θ ← θ′
void take_in_place(const ElementwiseSteps& steps, const TensorList& theta);
/// θ′, in storage of its own.
TensorList taken(const ElementwiseSteps& steps, const TensorList& theta);

/// [parameters] each, float64 on θ's device.
struct Slopes {
  Tensor rate;     ///< vᵀ ∂θ′/∂η
  Tensor epsilon;  ///< vᵀ ∂θ′/∂ε; undefined but where the steps are adaptive
};
Slopes slopes(const ElementwiseSteps& steps, const TensorList& theta, const TensorList& v);

// Statistics, in place.

/// s ← γ s + (1 − γ) g²
void average_squares(const TensorList& s, const TensorList& g, double decay);
/// v ← μ v + g
void gather(const TensorList& v, const TensorList& g, double decay);

}  // namespace apo
