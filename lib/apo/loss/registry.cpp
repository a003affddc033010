#include "apo/loss/loss.h"

namespace apo {

const Registry<Loss>& losses() {
  static const Registry<Loss> registry = {
      member("cross_entropy", "softmax cross-entropy", make_cross_entropy),
  };
  return registry;
}

}  // namespace apo
