#include "apo/trace/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace apo {
namespace {

/// Of as many digits as a number can have.
constexpr double kLongest = std::numeric_limits<double>::lowest();

/// A JSON number that reads back exactly, or null.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "null";
}

/// Nothing where there is no schedule.
std::string learned(const std::optional<double>& rate) {
  return rate ? fmt::format(R"(,"learned_rate":{})", number(*rate)) : "";
}

const Metrics kNotMeasured{std::numeric_limits<double>::quiet_NaN(), std::nullopt};

/// Nothing where there are no averaged weights.
std::string reached_by(const std::optional<AverageMetrics>& average) {
  if (!average) return "";
  const Metrics train = average->train.value_or(kNotMeasured);
  const Metrics test = average->test.value_or(kNotMeasured);
  return fmt::format(R"(,"average_train_loss":{},"average_train_accuracy":{},)"
                     R"("average_test_loss":{},"average_test_accuracy":{})",
                     number(train.loss),
                     number(train.accuracy),
                     number(test.loss),
                     number(test.accuracy));
}

/// Nothing where there is no validation set.
std::string validated(const EpochRecord& record) {
  if (!record.has_validation) return "";
  const Metrics metrics = record.validation.value_or(kNotMeasured);
  return fmt::format(R"(,"validation_loss":{},"validation_accuracy":{})",
                     number(metrics.loss),
                     number(metrics.accuracy));
}

double longest_meta_line(int64_t step, const std::vector<std::string>& tuned) {
  MetaRecord record{step, kLongest, kLongest, kLongest, {{}}};
  std::vector<HyperparameterRecord> values;
  for (const std::string& name : tuned) {
    record.gradient.front().push_back(kLongest);
    values.push_back({name, step, kLongest});
  }
  return static_cast<double>(line_of(record, values).size());
}

}  // namespace

bool TraceOptions::keeps(const StepRecord& record) const {
  return record.step % every == 0 || !std::isfinite(record.loss);
}

bool TraceOptions::keeps(const MetaRecord& record) const {
  const int64_t meta_step = record.step / std::max<int64_t>(1, interval);
  return meta_step % meta_every == 0 || record.skipped;
}

std::string line_of(const StepRecord& record) {
  return fmt::format(R"({{"type":"step","step":{},"loss":{},"learning_rate":{}{}}})"
                     "\n",
                     record.step,
                     number(record.loss),
                     number(record.learning_rate),
                     learned(record.learned_rate));
}

std::string line_of(const MetaRecord& record, const std::vector<HyperparameterRecord>& values) {
  std::string line;
  auto out = std::back_inserter(line);
  fmt::format_to(out,
                 R"({{"type":"meta","step":{},"objective":{},"loss_term":{},"discrepancy":{},)"
                 R"("skipped":{},"gradient":{{)",
                 record.step,
                 number(record.objective),
                 number(record.loss_term),
                 number(record.discrepancy),
                 record.skipped);
  size_t k = 0;
  for (const auto& groups : record.gradient) {
    for (const double gradient : groups) {
      fmt::format_to(out, R"({}"{}":{})", k > 0 ? "," : "", values[k].name, number(gradient));
      ++k;
    }
  }
  line += R"(},"hyperparameters":{)";
  for (k = 0; k < values.size(); ++k) {
    fmt::format_to(out, R"({}"{}":{})", k > 0 ? "," : "", values[k].name, number(values[k].value));
  }
  return line + "}}\n";
}

std::string line_of(const EpochRecord& record) {
  const Metrics test = record.test.value_or(kNotMeasured);
  return fmt::format(
      R"({{"type":"epoch","epoch":{},"step":{},"train_loss":{},"train_accuracy":{},)"
      R"("test_loss":{},"test_accuracy":{},"learning_rate":{},"wall_seconds":{}{}{}{}}})"
      "\n",
      record.epoch,
      record.step,
      number(record.train.loss),
      number(record.train.accuracy),
      number(test.loss),
      number(test.accuracy),
      number(record.learning_rate),
      number(record.wall_seconds),
      learned(record.learned_rate),
      validated(record),
      reached_by(record.average));
}

std::string line_of(const RollbackRecord& record) {
  return fmt::format(R"({{"type":"rollback","step":{},"to_step":{},"learning_rate":{}}})"
                     "\n",
                     record.step,
                     record.to_step,
                     number(record.learning_rate));
}

std::string line_of(const WarningRecord& record) {
  const nlohmann::ordered_json line = {{"type", "warning"},
                                       {"step", record.step},
                                       {"kind", record.kind},
                                       {"message", record.message}};
  return line.dump() + "\n";
}

std::string freeze_line(int64_t step) {
  return fmt::format(R"({{"type":"freeze","step":{}}})"
                     "\n",
                     step);
}

double trace_bytes(const TraceOptions& options,
                   int64_t steps,
                   int64_t epochs,
                   const std::vector<std::string>& tuned) {
  const Metrics longest{kLongest, kLongest};
  const auto step_line =
      static_cast<double>(line_of(StepRecord{steps, kLongest, kLongest, kLongest}).size());
  const auto epoch_line = static_cast<double>(line_of(EpochRecord{.epoch = epochs,
                                                                  .step = steps,
                                                                  .train = longest,
                                                                  .test = longest,
                                                                  .learning_rate = kLongest,
                                                                  .wall_seconds = kLongest,
                                                                  .learned_rate = kLongest,
                                                                  .has_validation = true,
                                                                  .validation = longest,
                                                                  .average = {{longest, longest}}})
                                                  .size());
  const auto count = [&](int64_t every) {
    const int64_t whole = steps / every;
    return static_cast<double>(whole) + 1;
  };
  double lines = count(options.every) * step_line + static_cast<double>(epochs) * epoch_line;
  if (options.interval > 0) {
    lines += count(options.interval) / static_cast<double>(options.meta_every) *
             longest_meta_line(steps, tuned);
  }
  // The columns repeat no keys, so that they are shorter than the lines.
  constexpr double kPageWithoutCurves = 300e3;
  constexpr double kCurves = 2e6;
  const double events = options.tensorboard ? lines : 0;  // have fewer bytes than lines, too
  return 3 * lines + events + kPageWithoutCurves + std::min(kCurves, lines);
}

}  // namespace apo
