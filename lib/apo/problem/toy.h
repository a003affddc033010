// Toys: small problems whose formula, start and optimum are known, and the family of problems that
// a configuration chooses from.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/random.h"
#include "apo/base/registry.h"
#include "apo/problem/problem.h"

namespace apo {

/// What every problem has beside its own options.
struct ProblemSetting {
  uint64_t seed = 0;
  /// Of what is to be learned, where several runs share one task; else `seed`'s.
  std::optional<uint64_t> task_seed = {};
  at::ScalarType dtype = at::kDouble;
  at::Device device = at::kCPU;
  /// The problem that the sections `dataset` and `model` describe.
  std::function<std::unique_ptr<Problem>()> supervised = {};
};

/// Steps after which an epoch's record is written; a toy has no data set to pass over.
inline constexpr int64_t kToyStepsPerPass = 1000;

/// A batch from the generator's numbers.
using Draw = std::function<Batch(at::Generator&)>;

/// Batches that are drawn: number n depends only on (seed, stream, n).
std::unique_ptr<Batches> make_drawn(uint64_t seed,
                                    RandomStream stream,
                                    Draw draw,
                                    int64_t steps_per_pass = kToyStepsPerPass);

/// A network without inputs, whose outputs are its parameters, [1, n].
std::unique_ptr<Network> make_point(const Tensor& start);

/// The type and the device of a toy's numbers.
at::TensorOptions tensor_options(const ProblemSetting& setting);

/// `objective` is what evaluation reports, whatever the part.
std::unique_ptr<Problem> make_toy(const ProblemSetting& setting,
                                  std::unique_ptr<Network> network,
                                  std::unique_ptr<Loss> loss,
                                  const Draw& draw,
                                  std::function<Tensor(const TensorList& theta)> objective);

struct RosenbrockOptions {
  std::vector<double> start = {1, -1.5};
  void visit(OptionVisitor& visitor);
};

struct IllConditionedRegressionOptions {
  double condition = 1e10;
  int64_t examples = 0;  ///< 0: the whole population
  int64_t batch_size = 100;
  void visit(OptionVisitor& visitor);
};

struct NoisyQuadraticOptions {
  int64_t dimension = 1000;
  double lowest_curvature = 0.01;
  double start = 100;
  bool noise = true;
  bool halved = true;
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<Problem> make_rosenbrock(const RosenbrockOptions&, const ProblemSetting&);
std::unique_ptr<Problem> make_ill_conditioned_regression(const IllConditionedRegressionOptions&,
                                                         const ProblemSetting&);
std::unique_ptr<Problem> make_noisy_quadratic(const NoisyQuadraticOptions&, const ProblemSetting&);

using ProblemRegistry = Registry<Problem, const ProblemSetting&>;
/// The first is `supervised`, which setting.supervised makes.
const ProblemRegistry& problems();

}  // namespace apo
