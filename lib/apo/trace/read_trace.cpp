#include "apo/trace/read_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "apo/base/error.h"
#include "apo/base/regular_file.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;
using See = std::function<void(const Json&)>;

Json parsed(std::istream& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

bool is_of_training(const Json& record) {
  const Json type = record.value("type", Json());
  return type == "step" || type == "epoch";
}

/// Whether any was of training.
bool see_lines(std::istream& lines, const See& see) {
  bool any = false;
  for (std::string text; std::getline(lines, text);) {
    const Json record = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object()) continue;
    any = any || is_of_training(record);
    see(record);
  }
  return any;
}

/// A table's rows as records of a type.
void see_rows(const char* type, const Json& table, const See& see) {
  if (!table.is_object()) return;
  const Json step = table.value("step", Json::array());
  for (size_t i = 0; i < step.size(); ++i) {
    Json record = {{"type", type}};
    for (const auto& [key, column] : table.items()) {
      if (column.is_array() && i < column.size()) record[key] = column[i];
    }
    see(record);
  }
}

void see_columns(const Json& trace, const See& see) {
  see({{"type", "header"}, {"config", trace.value("config", Json())}});
  see_rows("step", trace.value("steps", Json()), see);
  see_rows("epoch", trace.value("epochs", Json()), see);
  see_rows("warning", trace.value("warnings", Json()), see);
  const Json hyperparameters = trace.value("hyperparameters", Json::object());
  for (const auto& [name, column] : hyperparameters.items()) {
    const std::string& of_name = name;
    see_rows("meta", column, [&](const Json& row) {
      see({{"type", "meta"},
           {"step", row.value("step", Json())},
           {"hyperparameters", {{of_name, row.value("value", Json())}}}});
    });
  }
}

/// The last line that is of no rollback and no warning, which may follow an epoch's.
std::string last_line(const std::filesystem::path& file) {
  constexpr std::streamoff kLongest = 1 << 16;  // bytes, far more than an epoch's line has
  require_regular(file);
  std::ifstream lines(file, std::ios::binary | std::ios::ate);
  lines.seekg(std::max<std::streamoff>(0, lines.tellg() - kLongest));
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const bool aside =
        line.starts_with(R"({"type":"rollback")") || line.starts_with(R"({"type":"warning")");
    if (!aside) last = line;
  }
  return last;
}

std::optional<double> number_of(const Json& record, const std::string& key) {
  const Json value = record.value(key, Json());
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

int64_t whole_number_of(const Json& record, const std::string& key) {
  const Json value = record.value(key, Json());
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

std::optional<Metrics> metrics_of(const Json& record, const std::string& part) {
  const auto loss = number_of(record, part + "_loss");
  if (!loss) return std::nullopt;
  return Metrics{*loss, number_of(record, part + "_accuracy")};
}

}  // namespace

Json read_json(const std::filesystem::path& file) {
  require_regular(file);
  std::ifstream text(file);
  return parsed(text);
}

Json read_summary(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "summary.json";
  Json summary = read_json(file);
  const auto require = [&](const char* pointer, bool is_text) {
    const Json::json_pointer path(pointer);
    if (!summary.contains(path)) return;
    const Json& value = summary.at(path);
    if (is_text ? value.is_string() : value.is_number() || value.is_null()) return;
    throw Error(ErrorKind::data,
                fmt::format("{}: {} is {}; accepted: {}",
                            file.string(),
                            pointer + 1,
                            value.type_name(),
                            is_text ? "a string" : "a number or null"));
  };
  for (const char* text : {"/status", "/message"}) require(text, true);
  for (const char* number : {"/epochs",
                             "/steps",
                             "/final/train/loss",
                             "/final/test/loss",
                             "/final/test/accuracy",
                             "/final/validation/loss",
                             "/final/validation/accuracy",
                             "/best/validation/loss",
                             "/best/validation/accuracy",
                             "/average/test/accuracy",
                             "/best/train_loss",
                             "/best/test_accuracy",
                             "/learning_rate",
                             "/wall_seconds"}) {
    require(number, false);
  }
  return summary;
}

bool for_each_record(const std::filesystem::path& folder, const See& see) {
  require_regular(folder / "trace.jsonl");
  std::ifstream lines(folder / "trace.jsonl");
  if (lines && see_lines(lines, see)) return true;
  const Json trace = read_json(folder / "trace.json");
  if (!trace.empty()) see_columns(trace, see);
  return !trace.empty();
}

std::optional<EpochRecord> last_epoch(const std::filesystem::path& file) {
  const Json line = Json::parse(last_line(file), nullptr, /*allow_exceptions=*/false);
  if (!line.is_object() || line.value("type", Json()) != "epoch") return std::nullopt;
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  EpochRecord record{.epoch = whole_number_of(line, "epoch"),
                     .step = whole_number_of(line, "step"),
                     .train = metrics_of(line, "train").value_or(Metrics{kNone, std::nullopt}),
                     .test = metrics_of(line, "test"),
                     .learning_rate = number_of(line, "learning_rate").value_or(kNone),
                     .wall_seconds = number_of(line, "wall_seconds").value_or(kNone),
                     .learned_rate = number_of(line, "learned_rate"),
                     .validation = metrics_of(line, "validation")};
  const AverageMetrics average{metrics_of(line, "average_train"), metrics_of(line, "average_test")};
  if (average.train || average.test) record.average = average;
  return record;
}

bool holds_trace(const std::filesystem::path& folder) {
  bool holds = false;
  for_each_record(folder, [&](const Json& record) { holds = holds || is_of_training(record); });
  return holds;
}

}  // namespace apo
