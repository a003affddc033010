#include "apo/problem/toy.h"

namespace apo {
namespace {

std::unique_ptr<Problem> make_described(const NoOptions&, const ProblemSetting& setting) {
  return setting.supervised();
}

}  // namespace

const ProblemRegistry& problems() {
  static const ProblemRegistry registry = {
      member("supervised", "a data set's examples, learned by a model", make_described),
      member("rosenbrock", "the Rosenbrock function of two numbers", make_rosenbrock),
      member("ill_conditioned_regression",
             "a two-layer linear network fitted to a map of condition 1e10",
             make_ill_conditioned_regression),
      member("noisy_quadratic", "a diagonal quadratic with a noisy centre", make_noisy_quadratic),
  };
  return registry;
}

}  // namespace apo
