#include <fmt/format.h>

#include <string>

#include "apo/base/system.h"
#include "apo/config/assemble.h"
#include "run.h"

namespace apo {
namespace {

constexpr double kMebibyte = 1024 * 1024;

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

std::string dry_run(const Experiment& experiment) {
  Assembly assembly = assemble(experiment);
  const int64_t steps = assembly.options.steps;
  TrainOptions one_step = assembly.options;
  one_step.steps = 1;
  one_step.evaluate_every = 0;
  RunSummary summary;
  for (int pass = 0; pass < 2; ++pass) {  // the first warms up
    summary = train(*assembly.problem, *assembly.rule, *assembly.tuner, one_step, {});
  }
  const double meta = summary.wall_seconds * summary.meta_share;
  const double base = summary.wall_seconds - meta;
  const int64_t interval = assembly.tuner->interval();
  const double meta_per_step = interval > 0 ? meta / static_cast<double>(interval) : 0;
  const auto population = assembly.tuner->population();
  const double runs = population ? static_cast<double>(population->population) : 1;
  const double total = runs * static_cast<double>(steps) * (base + meta_per_step);
  std::string text = fmt::format("{}: ready\n", experiment.name);
  const auto add = [&text](const char* what, const std::string& value) {
    text += fmt::format("  {:<12} {}\n", what, value);
  };
  add("device", fmt::format("{}, {} threads", assembly.device.str(), assembly.threads));
  add("parameters", fmt::format("{}", assembly.parameters));
  add("data", fmt::format("{:.0f} MiB on the device", assembly.data_bytes / kMebibyte));
  add("memory",
      fmt::format("{:.0f} MiB at the most so far", peak_memory_bytes(assembly.device) / kMebibyte));
  add("steps", fmt::format("{} ({} an epoch)", steps, assembly.problem->steps_per_epoch()));
  add("base step", fmt::format("{:.1f} ms", 1e3 * base));
  if (interval > 0) {
    add("meta step", fmt::format("{:.1f} ms, every {} steps", 1e3 * meta, interval));
  }
  if (population) add("population", fmt::format("{} runs, in turns", population->population));
  add("training", fmt::format("about {}, evaluation not counted", duration(total)));
  return text;
}

}  // namespace apo
