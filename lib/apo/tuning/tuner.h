// The family of tuners: what decides the hyperparameters of each base step.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/packed.h"
#include "apo/base/registry.h"
#include "apo/base/replay.h"
#include "apo/hyper/hyperparameters.h"
#include "apo/objective/proximal.h"
#include "apo/problem/problem.h"
#include "apo/update/update_rule.h"

namespace apo {

/// What of φ a tuner moves, and what its meta steps look at.
struct TunerTraits {
  std::vector<std::string> tuned = {};       ///< hyperparameters that it moves by gradients
  std::map<std::string, Range> bounds = {};  ///< where tuned ones stay, for those that have bounds
  bool per_layer = false;                    ///< one value per layer instead of one for all
  int64_t interval = 0;                      ///< base steps per meta step; 0: there are none
  int64_t early_steps = 0;                   ///< at the start, which have one each, or some more
  int64_t discrepancy_batch_size = 0;        ///< examples in x̃; 0: of x
  int64_t discrepancy_share = 1;             ///< then one in so many of x's
  int64_t share = 1;                         ///< meta steps look at one example in so many
  bool finds_first_rate = false;             ///< `learning_rate: auto` is enough for it
  bool auto_by_default = false;              ///< and what is meant where nothing is said
  /// It goes by the run's length: the default schedule is linear, and gradients that are outliers
  /// are clipped.
  bool by_length = false;
  /// Its values are given: it learns none, and takes neither a first rate nor a schedule.
  bool replays = false;
  bool proximal = false;    ///< meta steps tell J itself: λ D and its like are J − h
  double freeze_after = 1;  ///< share of the run, from its start, in which it moves φ
  /// What of its own keys to change, and how, where a run diverged; "": they did not matter.
  std::string remedy = {};
};

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
  bool auto_learning_rate = false;  ///< φ's first rate means nothing: the tuner finds it
  double first_rate_scale = 1;      ///< by which a first rate that is found is multiplied
  int64_t steps = 1;                ///< T, of the whole run
};

template <class T>
struct MetaTerms {
  T objective = {};              ///< J
  T loss_term = {};              ///< h
  T discrepancy = {};            ///< D
  T skipped = {};                ///< 1 where the meta-optimizer did not see the gradient
  std::vector<T> gradient = {};  ///< ∂J/∂(stored φ), [groups] of each tuned number

  template <class F>
  auto mapped(const F& f) const {
    using U = decltype(f(objective));
    MetaTerms<U> terms{f(objective), f(loss_term), f(discrepancy), f(skipped)};
    terms.gradient.reserve(gradient.size());
    for (const T& each : gradient) terms.gradient.push_back(f(each));
    return terms;
  }
};

/// A line search of the tuner has replaced η before step `step`.
struct SearchRecord {
  int64_t step = 0;
  double old_rate = 0;
  double new_rate = 0;
  bool first = false;  ///< it was the one that the run was to begin with
};

/// What a tuner did before a step.
struct TunerReport {
  std::vector<SearchRecord> searches = {};
  bool froze = false;  ///< from this step on φ stays as it is
  /// Of a meta step, still on the device.
  std::optional<Packed<MetaTerms>> meta = {};
};

/// What a tuner is to be used for.
struct TunedRun {
  const Problem& problem;
  const UpdateRule& rule;
  int64_t steps;
};

/// Decides φ.
class Tuner {
 public:
  explicit Tuner(TunerTraits traits = {}) : traits_(std::move(traits)) {}
  virtual ~Tuner() = default;
  Tuner(const Tuner&) = delete;
  Tuner& operator=(const Tuner&) = delete;

  const TunerTraits& traits() const { return traits_; }
  /// Throws Error(config) where the problem cannot be tuned so.
  virtual void check(const Problem&) const {}
  /// Reads the file that it needs, where it needs one: traits are whole after it. Once, before all
  /// that follows. Throws Error: config, data.
  virtual void prepare(const TunedRun&) {}
  /// CRC-32 of that file.
  virtual std::optional<int64_t> file_checksum() const { return std::nullopt; }
  /// Whether a meta step comes before base step t, as long as φ is moved at all.
  virtual bool is_due(int64_t step) const {
    return traits_.interval > 0 && (step < traits_.early_steps || step % traits_.interval == 0);
  }
  /// Sets φ for the coming base step; at step 0, where it can, after a search for the first rate.
  virtual TunerReport before_step(const StepContext& context, Hyperparameters& phi) = 0;
  /// η was multiplied from outside, as a rollback does.
  virtual void rate_scaled(double /*factor*/) {}
  /// What before_step has left for its next call.
  virtual void visit_state(StateVisitor&) {}

 protected:
  /// For what is known only once a file is read.
  TunerTraits& own_traits() { return traits_; }

 private:
  TunerTraits traits_;
};

/// Where the learning rate stays, of a tuner that moves nothing else.
struct RateBounds {
  std::optional<Range> learning_rate;
  void visit(OptionVisitor& visitor);
  std::map<std::string, Range> by_name() const;
};

/// The option `freeze_after` of tuners that learn.
void visit_freeze_after(double& share, OptionVisitor& visitor);
/// `tuner`, or where share is below 1 what asks it only in that share of the run: before step
/// round(share T), 1 at least. What is frozen stays so in a run that is made longer.
std::unique_ptr<Tuner> frozen_after(double share, std::unique_ptr<Tuner> tuner);

struct StepDecayOptions {
  enum class Unit { epochs, steps };
  double factor = 0.1;
  int64_t every = 0;
  std::vector<int64_t> milestones;
  Unit unit = Unit::epochs;
  RateBounds bounds = {};
  void visit(OptionVisitor& visitor);
};

struct ApoOptions {
  enum class Form { robust, paper };
  enum class Scope { global, per_layer };
  enum class Solver { gradient, exact };
  enum class Descent { own, held_out, geometric };
  ApoOptions();
  Form form = Form::robust;
  Solver solver = Solver::gradient;
  double lambda = 1e-3;
  int64_t interval = 10;
  std::vector<std::string> tune = {"learning_rate"};
  std::map<std::string, std::optional<Range>> bounds;
  Scope scope = Scope::global;
  bool through_momentum = false;
  LossTerm loss_term = LossTerm::loss;
  std::string discrepancy = "squared_euclidean";
  double weight_lambda = 0;
  int64_t discrepancy_batch_size = 0;
  bool lean = false;
  UpdateRuleChoice meta_optimizer;
  double meta_learning_rate = 0.1;
  Descent descent = Descent::geometric;  ///< this and the next: of the exact solver
  double memory = 0.95;
  double freeze_after = 1;
  void visit(OptionVisitor& visitor);
  /// Sets what depends on form, scope and solver: the meta-optimizer, its rate, the interval and
  /// what is looked through. Reading another of them does so, before those keys are read.
  void take_defaults();
};

struct MovementOptions {
  double budget = 24;
  int64_t interval = 20;
  double freeze_after = 1;
  RateBounds bounds = {};
  void visit(OptionVisitor& visitor);
};

struct HypergradientOptions {
  enum class Form { additive, multiplicative };
  Form form = Form::additive;
  double rate = 1e-3;  ///< reading the multiplicative form: 0.02
  double freeze_after = 1;
  RateBounds bounds = {};
  void visit(OptionVisitor& visitor);
};

struct ReplayOptions {
  std::string trace;
  bool stretch = false;
  RateBounds bounds = {};
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<Tuner> make_constant(const NoOptions&);
std::unique_ptr<Tuner> make_step_decay(const StepDecayOptions&);
std::unique_ptr<Tuner> make_apo(const ApoOptions&);
std::unique_ptr<Tuner> make_movement(const MovementOptions&);
std::unique_ptr<Tuner> make_hypergradient(const HypergradientOptions&);
std::unique_ptr<Tuner> make_replay(const ReplayOptions&);

const Registry<Tuner>& tuners();

}  // namespace apo
