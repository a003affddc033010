// Population-based training: several runs of one experiment, the worse of which copy the better.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "apo/train/selection.h"
#include "apo/train/trainer.h"

namespace apo {

struct PopulationMember {
  Problem& problem;
  const UpdateRule& rule;
  Tuner& tuner;
  std::vector<Observer*> observers;
};

/// How members that train here meet those that train elsewhere.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Makes known how the members here stand at the end of a turn, waits for the others, and returns
  /// how all stand. Called once more for a turn that was restored. Nothing where the population is
  /// not to go on here.
  virtual std::optional<Standings> meet(int64_t turn, const Standings& here) = 0;
  /// Puts back, into what `visit` walks over, what a member that trains elsewhere was when it had
  /// taken so many steps, at the end of a turn; names are those of its Population::visit_state.
  virtual void restore(size_t member,
                       int64_t steps,
                       const std::function<void(StateVisitor&)>& visit) = 0;
};

struct PopulationOptions {
  PbtOptions pbt;
  Range initial_range;  ///< from which a resampled rate is drawn
  uint64_t seed = 0;
  TrainOptions train;
  int64_t jobs = 1;  ///< members that train at a time, each on a thread of its own
  /// Where not all members train here: the number of the first of those who do, and how they meet
  /// the others.
  size_t first = 0;
  Exchange* exchange = nullptr;
  /// Called first on each of these threads.
  std::function<void()> on_job = [] {};
  /// Told of each event of a member here as it happens.
  std::function<void(const PopulationEvent&)> on_event = [](const PopulationEvent&) {};
  /// Called after the turns in which an epoch ended that train.checkpoint_every counts.
  std::function<void()> on_checkpoint = [] {};
};

/// A population under way, which a state can be taken of and put back into. Members and options
/// must outlive it. See train_population.
class Population {
 public:
  Population(const std::vector<PopulationMember>& members, const PopulationOptions& options);
  ~Population();

  /// All steps, or as many as an interruption lets it take.
  void advance();
  /// How each member here ended, in their order.
  std::vector<RunSummary> conclude();
  /// Trainer::with_average for each member here, whose place among them `use` is given.
  void with_averages(const std::function<void(size_t place)>& use);
  /// Steps that the member in front here has taken.
  int64_t steps_taken() const;

  void visit_state(StateVisitor& visitor);

 private:
  class Turns;
  std::unique_ptr<Turns> turns_;
};

/// Population-based training of the learning rate, the members in turns on one device, or `jobs` at
/// a time with the same result:
///     until all steps are taken:
///         each member trains `interval` steps
///         members are ranked by their mean training loss over these steps
///         each of the bottom quartile, and each whose loss is not finite:
///             exploit:  θ, θ̄, buffers, ξ, η ← those of one drawn from the top quartile
///             explore:  η ← log-uniform from the initial range, with resample_probability;
///                       else η · one of the two factors, by a coin
/// A quartile is a quarter of the members rounded down, but at least one. After the last turn
/// nobody copies. A member whose loss stops being finite waits for the end of its turn; where no
/// member's is finite, the population ends. Source: Jaderberg et al. 2017, truncation selection.
/// Differs: selection by training loss, as the APO paper's comparison has it; members wait for each
/// other.
/// Returns how each member ended, in their order.
std::vector<RunSummary> train_population(const std::vector<PopulationMember>& members,
                                         const PopulationOptions& options);

}  // namespace apo
