#include "apo/trace/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

namespace apo {
namespace {

/// A JSON number that reads back exactly, or null.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "null";
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
  return fmt::format(R"({{"type":"step","step":{},"loss":{},"learning_rate":{}}})"
                     "\n",
                     record.step,
                     number(record.loss),
                     number(record.learning_rate));
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
  const Metrics test = record.test.value_or(Metrics{std::nan(""), std::nullopt});
  return fmt::format(
      R"({{"type":"epoch","epoch":{},"step":{},"train_loss":{},"train_accuracy":{},)"
      R"("test_loss":{},"test_accuracy":{},"learning_rate":{},"wall_seconds":{}}})"
      "\n",
      record.epoch,
      record.step,
      number(record.train.loss),
      number(record.train.accuracy),
      number(test.loss),
      number(test.accuracy),
      number(record.learning_rate),
      number(record.wall_seconds));
}

std::string line_of(const RollbackRecord& record) {
  return fmt::format(R"({{"type":"rollback","step":{},"to_step":{},"learning_rate":{}}})"
                     "\n",
                     record.step,
                     record.to_step,
                     number(record.learning_rate));
}

}  // namespace apo
