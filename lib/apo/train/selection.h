// What a population decides at the end of a turn: who copies whom, and with which rate it goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "apo/base/options.h"

namespace apo {

/// How a population trains.
struct PbtOptions {
  int64_t members = 1;  ///< 1: a run of its own
  int64_t interval = 500;
  std::optional<Range> initial_range;
  std::optional<Range> factors = Range::between(0.8, 1.2);
  double resample_probability = 0;
  double patience = 600;  ///< seconds; of members that are processes
  void visit(OptionVisitor& visitor);
};

/// The initial learning rates of a population, log-uniform in `range`. Depends only on the
/// arguments.
std::vector<double> initial_rates(int64_t members, const Range& range, uint64_t seed);

/// How a member stands at the end of a turn.
struct Standing {
  double loss = 0;  ///< mean over the steps of the turn; infinite where it is not finite
  double rate = 0;
  int64_t step = 0;  ///< steps that it has taken
};

/// Of each member, in their order; nothing for those who are lost.
using Standings = std::vector<std::optional<Standing>>;

/// A member took over another's state before step `step` and changed the rate that came with it.
struct PopulationEvent {
  int64_t step = 0;
  size_t member = 0;
  size_t from = 0;
  double old_rate = 0;  ///< of the member, before
  double new_rate = 0;
};

/// Those who copy at the end of turn `turn`, as train_population says it. A quartile is one of the
/// members who are not lost; one who is alone copies nobody. Nothing where no member is left whose
/// loss is finite. Depends only on the arguments: whoever knows them knows what all do.
std::optional<std::vector<PopulationEvent>> exploit_and_explore(const Standings& standings,
                                                                int64_t turn,
                                                                const PbtOptions& options,
                                                                const Range& initial_range,
                                                                uint64_t seed);

}  // namespace apo
