#include "apo/objective/discrepancy.h"

namespace apo {

const Registry<Discrepancy>& discrepancies() {
  static const Registry<Discrepancy> registry = {
      member(
          "squared_euclidean", "squared distance of the outputs (Eq. 7)", make_squared_euclidean),
  };
  return registry;
}

}  // namespace apo
