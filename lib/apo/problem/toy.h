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

/// A regression without classes. Batch number n of a stream depends only on (seed, stream, n).
class Toy : public Problem {
 public:
  /// Steps after which an epoch's record is written; a toy has no data set to pass over.
  static constexpr int64_t kStepsPerEpoch = 1000;

  TensorList& parameters() override { return parameters_; }
  const std::vector<std::string>& parameter_names() const override { return names_; }
  TensorList& buffers() override { return buffers_; }
  int64_t steps_per_epoch() const override { return kStepsPerEpoch; }
  Batch next_batch() override { return next(RandomStream::training_batches, batches_++); }
  Batch next_discrepancy_batch() override {
    return next(RandomStream::discrepancy_batches, discrepancy_batches_++);
  }
  bool has_classes() const override { return false; }
  Tensor correct(const Tensor&, const Batch&) override { return {}; }
  /// The exact objective at θ, whatever the part.
  std::optional<Metrics> evaluate(Part part, const Poll& interrupted) override;
  void visit_state(StateVisitor& visitor) override;

 protected:
  /// start: θ₀, one tensor per name.
  Toy(const ProblemSetting& setting, std::vector<std::string> names, const TensorList& start);

  /// A batch from the generator's numbers, on the problem's device and of its type.
  virtual Batch draw(at::Generator& generator) = 0;
  /// The objective that evaluation reports, a scalar.
  virtual Tensor objective() = 0;
  at::TensorOptions options() const;

 private:
  Batch next(RandomStream stream, int64_t number);

  ProblemSetting setting_;
  std::vector<std::string> names_;
  TensorList parameters_;
  TensorList buffers_;
  int64_t batches_ = 0;
  int64_t discrepancy_batches_ = 0;
};

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
