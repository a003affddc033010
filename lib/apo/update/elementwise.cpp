#include "apo/update/elementwise.h"

#include <ATen/core/grad_mode.h>

namespace apo {
namespace {

/// column[k] = lists[k][i].
TensorList column(const std::vector<TensorList>& lists, size_t i) {
  TensorList tensors;
  tensors.reserve(lists.size());
  for (const TensorList& list : lists) tensors.push_back(list[i]);
  return tensors;
}

}  // namespace

Statistics ElementwiseRule::initial_statistics(const TensorList& theta) const {
  Statistics xi;
  for (size_t s = 0; s < slots_; ++s) xi.slots.push_back(zeros_like(theta));
  return xi;
}

TensorList ElementwiseRule::decayed(const TensorList& theta, TensorList g) const {
  return with_coupled_decay(theta, std::move(g), setting_.weight_decay);
}

void ElementwiseRule::observe(const TensorList& g, Statistics& xi) const {
  const at::NoGradGuard no_grad;
  ++xi.updates;
  if (slots_ == 0) return;
  for (size_t i = 0; i < g.size(); ++i) accumulate(g[i], column(xi.slots, i));
}

TensorList ElementwiseRule::propose(const TensorList& theta,
                                    const TensorList& g,
                                    const Statistics& xi,
                                    const HyperparameterValues& phi,
                                    Momentum momentum) const {
  TensorList proposed;
  proposed.reserve(theta.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    proposed.push_back(
        formula(theta[i], g[i], column(xi.slots, i), column(phi, i), xi.updates, momentum));
  }
  return proposed;
}

}  // namespace apo
