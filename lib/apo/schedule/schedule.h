// The family of schedules: the shape of the learning rate over a run, beside whatever decides η.
#pragma once

#include <cstdint>
#include <memory>

#include "apo/base/registry.h"

namespace apo {

/// A factor on η in the base steps alone. No tuner sees it: a one-step objective knows no horizon,
/// so that annealing has to come from outside (Wu et al. 2018; Defazio et al. 2023). A pure
/// function of the step and of how many there are, so that nothing of it is state.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// In (0, 1], of step t of T, counted from 0. Pre: 0 ≤ t < T.
  virtual double factor(int64_t t, int64_t steps) const = 0;
};

/// Of a schedule that falls from the end of its warm-up to the end of the run.
struct FallOptions {
  double warmup = 0;      ///< share of the run in which it rises from 0
  double end_factor = 0;  ///< the factor that it falls to
  void visit(OptionVisitor& visitor);
};

struct WarmupStableDecayOptions {
  double warmup = 0.05;
  double decay = 0.2;  ///< share of the run in which it falls, at its end
  double end_factor = 0;
  void visit(OptionVisitor& visitor);
};

std::unique_ptr<Schedule> make_no_schedule(const NoOptions&);
std::unique_ptr<Schedule> make_linear_schedule(const FallOptions&);
std::unique_ptr<Schedule> make_cosine_schedule(const FallOptions&);
std::unique_ptr<Schedule> make_warmup_stable_decay(const WarmupStableDecayOptions&);

/// The first is none.
const Registry<Schedule>& schedules();

}  // namespace apo
