#include "apo/tuning/tuner.h"

namespace apo {

const Registry<Tuner>& tuners() {
  static const Registry<Tuner> registry = {
      member("constant", "the configured values throughout", make_constant),
      member("step_decay", "learning rate times a factor at given times", make_step_decay),
      member("apo", "Amortized Proximal Optimization", make_apo),
      member("movement",
             "steps move the outputs by a share of their size that the run's length gives",
             make_movement),
      member("hypergradient",
             "hypergradient descent: the rate follows the last step's derivative",
             make_hypergradient),
      member("replay", "the values of an earlier run, from its trace", make_replay),
  };
  return registry;
}

}  // namespace apo
