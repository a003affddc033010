// Every tuner by name, in forms that train any rule; APO in all of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apo/tuning/tuner.h"
#include "support/recorded.h"
#include "support/registry_names.h"
#include "support/tuned_run.h"

namespace apo::test {

inline std::vector<std::string> tuner_names() {
  std::vector<std::string> all = names_with_defaults(tuners());
  all.insert(all.end(), {"step_decay", "replay"});  // with keys that must be given
  all.insert(all.end(), {"apo_per_layer", "apo_robust", "apo_exact", "apo_exact_per_layer"});
  return all;
}

inline std::unique_ptr<Tuner> make_apo_every_second_step(ApoOptions options,
                                                         ApoOptions::Scope scope) {
  options.scope = scope;
  options.take_defaults();
  options.interval = 2;
  return make_apo(options);
}

/// Of tuner_names(). "apo" is the paper's form, which makes all its decisions on the device.
inline std::unique_ptr<Tuner> make_tuner(const std::string& name) {
  using Scope = ApoOptions::Scope;
  ApoOptions exact;
  exact.solver = ApoOptions::Solver::exact;
  if (name == "apo") return make_apo_every_second_step(papers(), Scope::global);
  if (name == "apo_per_layer") return make_apo_every_second_step(papers(), Scope::per_layer);
  if (name == "apo_robust") return make_apo_every_second_step({}, Scope::global);
  if (name == "apo_exact") return make_apo_every_second_step(exact, Scope::global);
  if (name == "apo_exact_per_layer") return make_apo_every_second_step(exact, Scope::per_layer);
  if (name == "hypergradient") {
    HypergradientOptions options;
    options.rate = 1e-6;  // the default ruins what RMSprop trains
    return make_hypergradient(options);
  }
  if (name == "step_decay") {
    return make_step_decay({.every = 3, .milestones = {}, .unit = StepDecayOptions::Unit::steps});
  }
  if (name == "replay") return make_falling_replay();
  return ChoiceOf<Tuner>(tuners(), name).make();
}

}  // namespace apo::test
