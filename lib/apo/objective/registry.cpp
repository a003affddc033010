#include "apo/objective/discrepancy.h"

namespace apo {

const Registry<Discrepancy>& discrepancies() {
  static const Registry<Discrepancy> registry = {
      member(
          "squared_euclidean", "squared distance of the outputs (Eq. 7)", make_squared_euclidean),
      member("bregman", "Bregman divergence of the training loss (Eq. 8)", make_bregman),
      member("kl", "Kullback-Leibler divergence of the predictions (Eq. 9)", make_kl),
      member("second_order", "squared distance in the loss's metric (Eq. 16)", make_second_order),
  };
  return registry;
}

}  // namespace apo
