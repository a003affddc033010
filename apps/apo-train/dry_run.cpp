#include <fmt/format.h>

#include <cstdio>

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

void dry_run(const Experiment& experiment) {
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
  fmt::print("{}: ready\n", experiment.name);
  fmt::print("  device       {}, {} threads\n", assembly.device.str(), assembly.threads);
  fmt::print("  parameters   {}\n", assembly.parameters);
  fmt::print("  data         {:.0f} MiB on the device\n", assembly.data_bytes / kMebibyte);
  fmt::print("  memory       {:.0f} MiB at the most so far\n",
             peak_memory_bytes(assembly.device) / kMebibyte);
  fmt::print("  steps        {} ({} an epoch)\n", steps, assembly.problem->steps_per_epoch());
  fmt::print("  base step    {:.1f} ms\n", 1e3 * base);
  if (interval > 0) fmt::print("  meta step    {:.1f} ms, every {} steps\n", 1e3 * meta, interval);
  if (population) fmt::print("  population   {} runs, in turns\n", population->population);
  fmt::print("  training     about {}, evaluation not counted\n", duration(total));
}

}  // namespace apo
