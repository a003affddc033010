#include "run.h"

#include "apo/config/assemble.h"
#include "apo/trace/run_folder.h"
#include "run_files.h"
#include "signals.h"

namespace apo {

int exit_code_of(const RunSummary& summary) {
  switch (summary.status) {
    case RunStatus::finished:
      return 0;
    case RunStatus::diverged:
      return 4;
    case RunStatus::interrupted:
      return 128 + received_signal();
  }
  return 1;
}

int run(const Experiment& experiment,
        const nlohmann::ordered_json& config,
        const RunSettings& settings) {
  check_run_folder(settings.folder, settings.overwrite);  // before the data are loaded
  watch_signals();
  Assembly assembly = assemble(experiment);
  RunFiles files(experiment, config, assembly, settings);
  assembly.options.interrupted = [] { return received_signal() != 0; };
  const RunSummary summary = train(
      *assembly.problem, *assembly.rule, *assembly.tuner, assembly.options, files.observers());
  files.finish(summary);
  return exit_code_of(summary);
}

}  // namespace apo
