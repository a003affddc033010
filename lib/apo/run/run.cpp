#include "apo/run/run.h"

#include "apo/run/session.h"

namespace apo {

int exit_code_of(const RunSummary& summary, int signal) {
  switch (summary.status) {
    case RunStatus::finished:
      return 0;
    case RunStatus::diverged:
      return 4;
    case RunStatus::interrupted:
      return 128 + signal;
  }
  return 1;
}

int run(const Experiment& experiment,
        const nlohmann::ordered_json& config,
        const RunSettings& settings) {
  if (settings.member) return run_member(experiment, config, settings);
  Session session(experiment, config, settings);
  if (session.is_over()) return 0;
  session.begin();
  return experiment.is_population() ? train_members(session) : train_run(session);
}

}  // namespace apo
