// Population-based training: several runs of one experiment, the worse of which copy the better.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "apo/train/trainer.h"

namespace apo {

/// How a population trains.
struct PbtOptions {
  int64_t members = 1;  ///< 1: a run of its own
  int64_t interval = 500;
  std::optional<Range> initial_range;
  std::optional<Range> factors = Range::between(0.8, 1.2);
  double resample_probability = 0;
  void visit(OptionVisitor& visitor);
};

/// The initial learning rates of a population, log-uniform in `range`. Depends only on the
/// arguments.
std::vector<double> initial_rates(int64_t members, const Range& range, uint64_t seed);

/// A member took over another's state before step `step` and changed the rate that came with it.
struct PopulationEvent {
  int64_t step = 0;
  size_t member = 0;
  size_t from = 0;
  double old_rate = 0;  ///< of the member, before
  double new_rate = 0;
};

struct PopulationMember {
  Problem& problem;
  const UpdateRule& rule;
  Tuner& tuner;
  std::vector<Observer*> observers;
};

struct PopulationOptions {
  PbtOptions pbt;
  Range initial_range;  ///< from which a resampled rate is drawn
  uint64_t seed = 0;
  TrainOptions train;
  int64_t jobs = 1;  ///< members that train at a time, each on a thread of its own
  /// Called first on each of these threads.
  std::function<void()> on_job = [] {};
  /// Told of each event as it happens.
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
  /// How each member ended, in their order.
  std::vector<RunSummary> conclude();
  /// Trainer::with_average for each member, whose number `use` is given.
  void with_averages(const std::function<void(size_t member)>& use);
  /// Steps that the member in front has taken.
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
