#include "apo/run/dry_run.h"

#include <ATen/ceil_div.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "apo/base/system.h"
#include "apo/run/assemble.h"
#include "apo/run/costs.h"

namespace apo {
namespace {

constexpr double kMebibyte = 1024 * 1024;

std::string duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

double seconds_of_training(const Costs& costs, const Counts& counts) {
  return costs.search + costs.base_step * static_cast<double>(counts.steps) +
         costs.meta_step * static_cast<double>(counts.meta_steps);
}

double seconds_of_evaluation(const Costs& costs, const Counts& counts) {
  return costs.evaluation * static_cast<double>(counts.evaluations) +
         costs.training_evaluation * static_cast<double>(counts.training_evaluations);
}

/// The jobs are the grid's, if it is one.
int64_t at_a_time(const Experiment& experiment, const Sharing& sharing) {
  return std::min(sharing.jobs,
                  sharing.runs > 1 ? sharing.runs : experiment.train.population.members);
}

}  // namespace

Experiment sharing_threads(Experiment experiment, const Sharing& sharing) {
  const int64_t parallel = at_a_time(experiment, sharing);
  if (parallel > 1) experiment.threads = threads_of_job(experiment.threads_to_use(), parallel);
  return experiment;
}

std::string dry_run(const Experiment& experiment, const Sharing& sharing) {
  const int64_t parallel = at_a_time(experiment, sharing);
  const int64_t members_at_a_time = sharing.runs > 1 ? 1 : parallel;
  std::vector<Assembly> members = assemble(experiment);
  const Assembly& first = members.front();
  const Counts counts = counts_of(first);
  const Costs costs = measure(members, experiment, counts);
  const auto number = static_cast<int64_t>(members.size());
  const int64_t in_turns = at::ceil_div(number, members_at_a_time);
  const double training = seconds_of_training(costs, counts) * static_cast<double>(in_turns);
  const double evaluation = seconds_of_evaluation(costs, counts) * static_cast<double>(in_turns);

  std::string text = fmt::format("{}: ready\n", experiment.name);
  const auto add = [&text](const char* what, const std::string& value) {
    text += fmt::format("  {:<12} {}\n", what, value);
  };
  add("device", fmt::format("{}, {} threads", first.device.str(), first.threads));
  add("parameters", fmt::format("{}", first.parameters));
  add("data",
      first.mapped_bytes > 0
          ? fmt::format("{:.0f} MiB mapped, read from the file ahead of the steps",
                        first.mapped_bytes / kMebibyte)
          : fmt::format("{:.0f} MiB on the device", first.data_bytes / kMebibyte));
  add("memory",
      fmt::format("{:.0f} MiB at the most so far", peak_memory_bytes(first.device) / kMebibyte));
  add("steps",
      fmt::format("{} ({} an epoch)", counts.steps, first.problem->batches->steps_per_pass()));
  if (costs.search > costs.base_step) {  // else there was none
    add("rate search", duration(costs.search) + ", once");
  }
  add("base step", fmt::format("{:.2f} ms", 1e3 * costs.base_step));
  if (counts.meta_steps > 0) {
    add("meta step",
        fmt::format("{}, {} times: every {} steps{}",
                    costs.meta_step > 0 ? fmt::format("{:.2f} ms", 1e3 * costs.meta_step)
                                        : "too short to be told from a base step",
                    counts.meta_steps,
                    first.tuner->traits().interval,
                    first.tuner->traits().early_steps > 0 ? ", more often at the start" : ""));
  }
  if (experiment.is_population()) {
    add("population", fmt::format("{} runs, {} at a time", number, members_at_a_time));
  }
  add("training", fmt::format("about {}", duration(training)));
  add("evaluation", fmt::format("about {}, {} times", duration(evaluation), counts.evaluations));
  if (sharing.runs > 1) {
    const auto rounds = static_cast<double>(at::ceil_div(sharing.runs, parallel));
    add("grid",
        fmt::format("about {} for {} runs, {} at a time",
                    duration(rounds * (training + evaluation)),
                    sharing.runs,
                    parallel));
  }
  return text;
}

}  // namespace apo
