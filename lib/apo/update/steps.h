// A base step of all parameters as data, what it means, and what takes it in the fewest passes: one
// sweep over memory on the CPU, a few kernels for all parameters together on another device.
#pragma once

#include "apo/base/tensors.h"

namespace apo {

/// The step of every parameter:
///     θ′ = θ − η (r + w θ) − s ω θ,  r = (d / c + μ v) / ((s / b)^ρ + ε)
/// Lists have one tensor per parameter: d, v and s of its shape; η, ρ and ε scalars, on the CPU or
/// on its device, or tensors of its shape too. Whatever depends on φ may carry derivatives.
struct ElementwiseStep {
  TensorList direction = {};         ///< d
  TensorList velocity = {};          ///< v; none: 0
  TensorList square = {};            ///< s; none: r is the numerator alone
  TensorList rate = {};              ///< η
  TensorList power = {};             ///< ρ; none: ½
  TensorList epsilon = {};           ///< ε; given where s is
  Tensor direction_correction = {};  ///< c, a scalar; none: 1
  Tensor square_correction = {};     ///< b, a scalar; none: 1
  double momentum = 0;               ///< μ
  double decay = 0;                  ///< w
  double shrinkage = 0;              ///< ω, which knows no η
  Tensor schedule = {};              ///< s, a scalar on θ's device; none: 1
};

/// θ′, in storage of its own: the formula above, operation by operation. Derivatives flow, forwards
/// and backwards.
TensorList evaluate(const ElementwiseStep& step, const TensorList& theta);

/// [parameters] each, float64 on θ's device.
struct Slopes {
  Tensor rate;     ///< vᵀ ∂θ′/∂η
  Tensor epsilon;  ///< vᵀ ∂θ′/∂ε; may be undefined where the step has no s
};

/// What evaluate does, but for rounding, for steps in which nothing is differentiated and ρ = ½.
class StepBackend {
 public:
  virtual ~StepBackend() = default;

  virtual bool accepts(const ElementwiseStep& step, const TensorList& theta) const = 0;

  // Of a step that it accepts.

  /// θ ← θ′
  virtual void take_in_place(const ElementwiseStep& step, const TensorList& theta) const = 0;
  /// θ′, in storage of its own.
  virtual TensorList taken(const ElementwiseStep& step, const TensorList& theta) const = 0;
  /// v: its elements lie in memory as θ's do.
  virtual Slopes slopes(const ElementwiseStep& step,
                        const TensorList& theta,
                        const TensorList& v) const = 0;

  // Statistics of any tensors on its device, in place.

  /// s ← γ s + (1 − γ) g²
  virtual void average_squares(const TensorList& s, const TensorList& g, double decay) const = 0;
  /// v ← μ v + g
  virtual void gather(const TensorList& v, const TensorList& g, double decay) const = 0;
};

/// For float32 and float64 on the CPU, where the arrays of a parameter are dense, of one type and
/// in one order of elements. Every processor and any number of threads round alike.
const StepBackend& sweep_backend();
/// For devices where issuing a kernel costs as much as running it.
const StepBackend& foreach_backend();

/// The one of the tensors' device.
const StepBackend& backend_on(const TensorList& theta);
/// The same, where it can take the step; else none, and evaluate is what there is.
const StepBackend* backend_for(const ElementwiseStep& step, const TensorList& theta);

}  // namespace apo
