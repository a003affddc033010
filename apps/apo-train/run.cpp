#include "run.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>

#include "apo/config/assemble.h"
#include "apo/config/writer.h"
#include "apo/trace/columns.h"
#include "apo/trace/console.h"
#include "apo/trace/files.h"
#include "apo/trace/jsonl.h"
#include "apo/trace/run_folder.h"
#include "signals.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// To the terminal, and whole to the run's log.txt.
spdlog::logger make_logger(const RunSettings& settings) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_st>();
  terminal->set_pattern("%v");
  auto file =
      std::make_shared<spdlog::sinks::basic_file_sink_st>((settings.folder / "log.txt").string());
  file->set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
  spdlog::logger logger("run", {terminal, file});
  logger.set_level(spdlog::level::from_str(settings.log_level));
  logger.flush_on(spdlog::level::info);
  return logger;
}

Json header(const Experiment& experiment, const Json& config, const Assembly& assembly) {
  return {{"format", "apo-trace"},
          {"version", 1},
          {"name", experiment.name},
          {"config", config},
          {"environment",
           {{"device", assembly.device.str()},
            {"libtorch", TORCH_VERSION},
            {"threads", assembly.threads},
            {"version", APO_VERSION},
            {"commit", APO_COMMIT}}}};
}

int exit_code(const RunSummary& summary) {
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

}  // namespace

int run(const Experiment& experiment, const Json& config, const RunSettings& settings) {
  check_run_folder(settings.folder, settings.overwrite);  // before the data are loaded
  watch_signals();
  Assembly assembly = assemble(experiment);
  claim_run_folder(settings.folder, settings.overwrite);
  spdlog::logger log = make_logger(settings);
  log.info("{}: {} parameters, {} steps of {} an epoch, on {} with {} threads",
           experiment.name,
           assembly.parameters,
           assembly.options.steps,
           assembly.problem->steps_per_epoch(),
           assembly.device.str(),
           assembly.threads);

  write_file(settings.folder / "config.yaml", to_yaml(config));
  const Json head = header(experiment, config, assembly);
  Json first_line = {{"type", "header"}};
  first_line.update(head);
  JsonLines lines(settings.folder / "trace.jsonl", first_line.dump());
  TraceColumns columns;
  Console console({.live = settings.live,
                   .total_steps = assembly.options.steps,
                   .steps_per_epoch = assembly.problem->steps_per_epoch(),
                   .log = [&log](const std::string& line) { log.info(line); }});

  assembly.options.interrupted = [] { return received_signal() != 0; };
  const RunSummary summary = train(*assembly.problem,
                                   *assembly.rule,
                                   *assembly.tuner,
                                   assembly.options,
                                   {&lines, &columns, &console});

  Json trace = head;
  trace.update(columns.to_json());
  write_file(settings.folder / "trace.json", trace.dump() + "\n");
  Json result = {{"name", experiment.name}};
  result.update(to_json(summary));
  write_file(settings.folder / "summary.json", result.dump(2) + "\n");
  log.info("traces: {}", settings.folder.string());
  return exit_code(summary);
}

}  // namespace apo
