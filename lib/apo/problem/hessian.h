// The curvature of the loss along a direction.
#pragma once

#include "apo/problem/problem.h"

namespace apo {

/// H v, where H = ∇²_θ ℓ(f(x, θ)): exact, by differentiating ⟨∇_θ ℓ, v⟩ once more. v: one tensor
/// per parameter, same shape. 0 of those that the loss or its gradient does not depend on. Leaves
/// buffers untouched.
TensorList hessian_vector_product(Problem& problem, const Batch& x, const TensorList& v);

}  // namespace apo
