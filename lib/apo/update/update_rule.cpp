#include "apo/update/update_rule.h"

#include <ATen/core/grad_mode.h>

namespace apo {

void step(const UpdateRule& rule,
          TensorList& theta,
          const TensorList& g,
          const Statistics& xi,
          const HyperparameterValues& phi) {
  const at::NoGradGuard no_grad;
  const TensorList next = rule.propose(theta, g, xi, phi, Momentum::apply);
  for (size_t i = 0; i < theta.size(); ++i) theta[i].set_data(next[i]);
}

}  // namespace apo
