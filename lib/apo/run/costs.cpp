#include "apo/run/costs.h"

#include <ATen/ceil_div.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "apo/base/state.h"
#include "apo/base/system.h"
#include "apo/cuda/recorder.h"
#include "apo/problem/supervised.h"

namespace apo {
namespace {

/// What is short is repeated for so long, what is long is broken off.
constexpr double kSecondsEach = 0.5;
constexpr size_t kMostSteps = 1000;
/// Until a device has recorded a step.
constexpr int64_t kRecordingSteps = 5;

/// A tuner whose meta steps come when they are wanted, not at its interval, and whose first is
/// timed, with the search for the first rate.
class TimedTuner : public Tuner {
 public:
  TimedTuner(Tuner& tuner, at::Device device)
      : Tuner(tuner.traits()), tuner_(tuner), first_(device) {}

  void take_meta_steps(bool wanted) { takes_meta_steps_ = wanted; }
  bool has_searched() const { return has_searched_; }
  double first_seconds() { return first_.seconds(); }

  TunerReport before_step(const StepContext& context, Hyperparameters& phi) override {
    const int64_t interval = traits().interval;
    if (interval == 0) return tuner_.before_step(context, phi);
    if (!takes_meta_steps_) return {};
    StepContext due = context;
    if (context.step > 0) due.step = (at::ceil_div(traits().early_steps, interval) + 1) * interval;
    if (context.step == 0) first_.start();
    TunerReport report = tuner_.before_step(due, phi);
    if (context.step == 0) first_.stop();
    for (const SearchRecord& search : report.searches) has_searched_ |= search.first;
    return report;
  }

  void visit_state(StateVisitor& visitor) override { tuner_.visit_state(visitor); }

 private:
  Tuner& tuner_;
  DeviceStopwatch first_;
  bool has_searched_ = false;
  bool takes_meta_steps_ = true;
};

/// A run that can be tried.
class Trial {
 public:
  Trial(Assembly& assembly, bool records)
      : assembly_(assembly),
        tuner_(*assembly.tuner, assembly.device),
        options_(endless(assembly, records)),
        trainer_(*assembly.problem, *assembly.rule, tuner_, options_, {}) {}

  /// One base step with all that comes before the first: the memory that it takes stays counted.
  void begin() { trainer_.advance_to(1); }

  /// Pre: begun.
  Costs measure() {
    Costs costs{.search = tuner_.has_searched() ? tuner_.first_seconds() : 0};
    if (trainer_.diverged()) return costs;
    begun_ = state_of([this](StateVisitor& visitor) { trainer_.visit_state(visitor); });
    const bool meta = tuner_.traits().interval > 0;
    const auto [base, with_meta] = seconds_of_steps(meta);
    costs.base_step = base;
    if (meta) costs.meta_step = std::max(0.0, with_meta - base);
    costs.search = std::max(0.0, costs.search - costs.meta_step);
    return costs;
  }

 private:
  /// No evaluation on the way, and no end.
  static TrainOptions endless(const Assembly& assembly, bool records) {
    TrainOptions options = assembly.options;
    options.steps = INT64_MAX;
    options.evaluate_every = 0;
    options.checkpoint_every = 0;
    if (records) options.recorder = make_cuda_recorder(assembly.device, [](const std::string&) {});
    return options;
  }

  /// Without and with a meta step, in turns, so that what else the machine does meets both: the
  /// medians.
  std::pair<double, double> seconds_of_steps(bool meta) {
    std::vector<double> plain;
    std::vector<double> with_meta;
    if (options_.recorder) {
      for (const bool with : {meta, false}) {
        tuner_.take_meta_steps(with);
        trainer_.advance_to(trainer_.steps_taken() + kRecordingSteps);
      }
    }
    Stopwatch all;
    while (plain.size() < 2 || (plain.size() < kMostSteps && all.seconds() < kSecondsEach)) {
      all.start();
      if (meta) with_meta.push_back(seconds_of_step(true));
      plain.push_back(seconds_of_step(false));
      all.stop();
    }
    return {median(plain), meta ? median(with_meta) : 0};
  }

  double seconds_of_step(bool with_meta) {
    if (trainer_.diverged()) begin_again();
    tuner_.take_meta_steps(with_meta);
    Stopwatch clock;
    clock.start();
    trainer_.advance_to(trainer_.steps_taken() + 1);
    clock.stop();
    return clock.seconds();
  }

  static double median(std::vector<double>& seconds) {
    const auto middle = seconds.begin() + std::ssize(seconds) / 2;
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
  }

  /// A rate may ruin a run in fewer steps than are timed.
  void begin_again() {
    restore(
        begun_, assembly_.device, [this](StateVisitor& visitor) { trainer_.visit_state(visitor); });
  }

  Assembly& assembly_;
  TimedTuner tuner_;
  TrainOptions options_;
  Trainer trainer_;
  State begun_;
};

/// Of a pass over a part of the problem, from its first batches where it takes long.
double seconds_of_pass(Problem& problem, Part part, int64_t examples) {
  Stopwatch clock;
  clock.start();
  int64_t batches = 0;
  const auto enough = [&] {
    if (batches > 0 && clock.seconds() > kSecondsEach) return true;
    ++batches;
    return false;
  };
  if (evaluate(problem, part, enough)) return clock.seconds();
  const int64_t whole = (examples - 1) / kEvaluationBatch + 1;
  const auto all = static_cast<double>(whole);
  return clock.seconds() * all / static_cast<double>(std::max<int64_t>(batches, 1));
}

/// Of base steps before `end`.
int64_t meta_steps_before(int64_t end, const Tuner& tuner) {
  const TunerTraits& traits = tuner.traits();
  if (traits.interval == 0) return 0;
  const int64_t early = std::min(end, traits.early_steps);
  int64_t count = 0;
  for (int64_t step = 0; step < early; ++step) count += tuner.is_due(step) ? 1 : 0;
  return count + at::ceil_div(end, traits.interval) - at::ceil_div(early, traits.interval);
}

/// How many times the evaluation of the training's own weights all evaluations take: averaged
/// weights are evaluated beside them, after forward passes for batch statistics of their own.
double evaluations_in_all(const Assembly& assembly, const Experiment& experiment) {
  if (assembly.options.average.half_life == 0) return 1;
  if (assembly.problem->network->buffers().empty()) return 2;
  const DataMark& data = assembly.data;
  const int64_t seen =
      std::min(kStatisticsBatches * experiment.dataset.batch_size, data.train_examples);
  return 2 +
         static_cast<double>(seen) / static_cast<double>(std::max<int64_t>(1, data.test_examples));
}

}  // namespace

Counts counts_of(const Assembly& assembly) {
  const TrainOptions& options = assembly.options;
  const int64_t epochs = at::ceil_div(options.steps, assembly.problem->batches->steps_per_pass());
  const int64_t every = options.evaluate_every;
  const auto moved = static_cast<int64_t>(
      std::ceil(assembly.tuner->traits().freeze_after * static_cast<double>(options.steps)));
  const bool full = every > 0 && options.train_metrics == TrainMetrics::full;
  return {.steps = options.steps,
          .meta_steps = meta_steps_before(moved, *assembly.tuner),
          .evaluations = every > 0 ? at::ceil_div(epochs, every) : 0,  // the last epoch always
          .training_evaluations = full ? epochs : 0};
}

Costs measure(std::vector<Assembly>& members, const Experiment& experiment, const Counts& counts) {
  std::vector<std::unique_ptr<Trial>> trials;
  for (Assembly& member : members) {
    trials.push_back(std::make_unique<Trial>(
        member, experiment.train.cuda_graph == TrainSection::CudaGraph::automatic));
    trials.back()->begin();
  }
  Costs costs = trials.front()->measure();
  Assembly& first = members.front();
  if (counts.evaluations > 0) {
    costs.evaluation = seconds_of_pass(*first.problem, Part::test, first.data.test_examples);
  }
  costs.evaluation *= evaluations_in_all(first, experiment);
  if (counts.training_evaluations > 0) {
    costs.training_evaluation =
        seconds_of_pass(*first.problem, Part::train, first.data.train_examples);
    if (first.options.average.half_life > 0) costs.training_evaluation *= 2;
  }
  return costs;
}

}  // namespace apo
