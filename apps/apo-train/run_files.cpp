#include "run_files.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <torch/headeronly/version.h>

#include "apo/config/writer.h"
#include "apo/trace/files.h"
#include "apo/trace/report.h"
#include "apo/trace/run_folder.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// To the terminal, and whole to the run's log.txt.
spdlog::logger make_logger(const RunSettings& settings, const std::string& label) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  terminal->set_pattern(label.empty() ? "%v" : label + "  %v");
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

std::string first_line(const Json& header) {
  Json line = {{"type", "header"}};
  line.update(header);
  return line.dump();
}

const std::filesystem::path& claimed(const RunSettings& settings) {
  claim_run_folder(settings.folder, settings.overwrite);
  return settings.folder;
}

}  // namespace

void write_summary(const std::filesystem::path& folder,
                   const std::string& name,
                   const RunSummary& summary) {
  Json json = {{"name", name}};
  json.update(to_json(summary));
  write_file(folder / "summary.json", json.dump(2) + "\n");
}

RunFiles::RunFiles(const Experiment& experiment,
                   const Json& config,
                   const Assembly& assembly,
                   const RunSettings& settings,
                   const std::string& label)
    : folder_(claimed(settings)),
      name_(experiment.name),
      header_(header(experiment, config, assembly)),
      log_(make_logger(settings, label)),
      lines_(folder_ / "trace.jsonl", first_line(header_)),
      console_({.live = settings.live,
                .total_steps = assembly.options.steps,
                .steps_per_epoch = assembly.problem->steps_per_epoch(),
                .log = [this](const std::string& line) { log_.info(line); }}) {
  log_.info("{}: {} parameters, {} steps of {} an epoch, on {} with {} threads",
            name_,
            assembly.parameters,
            assembly.options.steps,
            assembly.problem->steps_per_epoch(),
            assembly.device.str(),
            assembly.threads);
  write_file(folder_ / "config.yaml", to_yaml(config));
}

void RunFiles::finish(const RunSummary& summary) {
  Json trace = header_;
  trace.update(columns_.to_json());
  write_file(folder_ / "trace.json", trace.dump() + "\n");
  write_summary(folder_, name_, summary);
  const std::string warning =
      try_write_report(folder_ / "report.html", name_, {{.label = name_, .folder = folder_}});
  if (!warning.empty()) log_.warn(warning);
  log_.info("traces: {}", folder_.string());
}

}  // namespace apo
