#include "apo/update/observe.h"

namespace apo {

TensorList observe(
    const UpdateRule& rule, Problem& problem, const Batch& x, const Tensor& loss, Statistics& xi) {
  const TensorList& theta = problem.network->parameters();
  TensorList g = with_coupled_decay(theta, gradient(loss, theta), rule.coupled_decay());
  rule.observe_curvature(problem, x, xi);
  rule.observe(g, xi);
  return g;
}

}  // namespace apo
