#include "apo/loss/loss.h"

namespace apo {
namespace {

std::unique_ptr<Loss> squared_error(const NoOptions&) {
  return make_squared_error();
}

}  // namespace

const Registry<Loss>& losses() {
  static const Registry<Loss> registry = {
      member("cross_entropy", "of classes: softmax cross-entropy", make_cross_entropy),
      member("squared_error", "of real numbers: the squares of all differences", squared_error),
  };
  return registry;
}

}  // namespace apo
