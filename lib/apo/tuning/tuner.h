// The family of tuners: what decides the hyperparameters of each base step.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/registry.h"
#include "apo/base/replay.h"
#include "apo/hyper/hyperparameters.h"
#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// What a tuner may look at before base step t: g is this step's gradient, ξ holds it already.
struct StepContext {
  int64_t step;
  Problem& problem;
  const UpdateRule& rule;
  const TensorList& g;
  const Statistics& xi;
  const Batch& x;
  const Tensor& loss;            ///< ℓ(f(x, θ)), a scalar
  Recorder* recorder = nullptr;  ///< of work on the device, where there is one
  /// Polled by what takes long before step 0; true: what is found is thrown away, so it may be
  /// anything.
  Poll interrupted = [] { return false; };
};

/// One meta step, still on the device.
struct MetaStep {
  /// J, h, D; 1 where the step was skipped, for it counted as too large and the meta-optimizer did
  /// not see the gradient; ∂J/∂(stored φ), [groups] of each tuned hyperparameter. As packed() gives
  /// them.
  TensorList numbers;
  Tensor skipped;
  /// η before a line search set it anew, where one did.
  std::optional<double> searched_from = {};
};

struct PbtOptions {
  int64_t population = 4;
  int64_t interval = 500;
  std::optional<Range> initial_range;
  std::optional<Range> factors = Range::between(0.8, 1.2);
  double resample_probability = 0;
  void visit(OptionVisitor& visitor);
};

class Tuner {
 public:
  virtual ~Tuner() = default;

  /// Names of the hyperparameters that it moves by gradients.
  virtual std::vector<std::string> tuned() const { return {}; }
  /// Where the tuned ones stay, for those that have bounds.
  virtual std::map<std::string, Range> bounds() const { return {}; }
  /// True: one value per layer instead of one for all.
  virtual bool per_layer() const { return false; }
  /// Base steps per meta step; 0: there are no meta steps.
  virtual int64_t interval() const { return 0; }
  /// Given where this tuner works between the runs of a population: train/population.h.
  virtual std::optional<PbtOptions> population() const { return std::nullopt; }
  /// Examples in x̃; 0: as many as in x.
  virtual int64_t discrepancy_batch_size() const { return 0; }
  /// Meta steps look at one example in so many of x and of x̃.
  virtual int64_t share() const { return 1; }

  /// What of its own keys to change, and how, where a run diverged; "": they did not matter.
  virtual std::string remedy() const { return ""; }

  /// Throws Error(config) where the problem cannot be tuned so.
  virtual void check(const Problem&) const {}
  /// A better learning rate to begin with than φ's, which is `given` by the user or, for
  /// `learning_rate: auto`, means nothing; called at step 0 before before_step. nullopt: φ's.
  virtual std::optional<double> initial_learning_rate(const StepContext&,
                                                      const Hyperparameters&,
                                                      bool given) {
    (void)given;
    return std::nullopt;
  }
  /// Decides φ for the coming base step; what it returns goes to the trace.
  virtual std::optional<MetaStep> before_step(const StepContext& context, Hyperparameters& phi) = 0;

  /// What before_step has left for its next call.
  virtual void visit_state(StateVisitor&) {}
};

struct StepDecayOptions {
  double factor = 0.1;
  int64_t every = 0;
  std::vector<int64_t> milestones;
  std::string unit = "epochs";
  void visit(OptionVisitor& visitor);
};

struct ApoOptions {
  ApoOptions();
  std::string form = "robust";
  double lambda = 1e-3;
  int64_t interval = 10;
  std::vector<std::string> tune = {"learning_rate"};
  std::map<std::string, std::optional<Range>> bounds;
  std::string scope = "global";
  bool through_momentum = false;
  std::string loss_term = "loss";
  std::string discrepancy = "squared_euclidean";
  double weight_lambda = 0;
  int64_t discrepancy_batch_size = 0;
  bool lean = false;
  UpdateRuleChoice meta_optimizer;
  double meta_learning_rate = 0.1;
  void visit(OptionVisitor& visitor);

 private:
  void take_defaults_of_form();
  void take_defaults_of_scope();
  std::string defaults_for_form_ = "robust";
  std::string defaults_for_scope_ = "global";
};

struct HypergradientOptions {
  std::string form = "additive";
  double rate = 1e-3;
  void visit(OptionVisitor& visitor);

 private:
  std::string defaults_for_form_ = "additive";
};

struct SmdOptions {
  double meta_rate = 10;
  double decay = 0.99;
  double floor = 0.5;
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<Tuner> make_constant(const NoOptions&);
std::unique_ptr<Tuner> make_step_decay(const StepDecayOptions&);
std::unique_ptr<Tuner> make_apo(const ApoOptions&);
std::unique_ptr<Tuner> make_hypergradient(const HypergradientOptions&);
std::unique_ptr<Tuner> make_smd(const SmdOptions&);
std::unique_ptr<Tuner> make_pbt(const PbtOptions&);

const Registry<Tuner>& tuners();

}  // namespace apo
