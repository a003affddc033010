#include "apo/tuning/recorded.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "apo/base/error.h"
#include "apo/base/files.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostBytes = int64_t{1} << 32;
constexpr const char* kRate = "learning_rate";
/// A mean of logarithms is not exact: rates that differ from the learned ones by less do not.
constexpr double kSame = 1e-9;

/// Geometric where both are above 0.
double mixed(double a, double b, double share) {
  if (share == 0 || a == b) return a;
  if (a > 0 && b > 0) return std::exp((1 - share) * std::log(a) + share * std::log(b));
  return (1 - share) * a + share * b;
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

/// The content of a trace.json that is looked at.
class Trace {
 public:
  Trace(const std::string& text, std::string path) : path_(std::move(path)) {
    json_ = Json::parse(text, keeping(), /*allow_exceptions=*/false);
    if (!json_.is_object() || part({"format"}) != "apo-trace") {
      fail(
          "is no trace.json of apo-train; accepted: the folder of a run that has ended, or the "
          "trace.json in it");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, path_ + ": " + what);
  }

  /// Null where it is not there.
  const Json& part(const std::vector<std::string>& keys) const {
    static const Json kNone;
    const Json* at = &json_;
    for (const std::string& key : keys) {
      if (!at->is_object() || !at->contains(key)) return kNone;
      at = &at->at(key);
    }
    return *at;
  }

  std::string word(const std::vector<std::string>& keys) const {
    const Json& found = part(keys);
    return found.is_string() ? found.get<std::string>() : "";
  }

  /// The curve of two columns; `name` is what messages call it. A value below `lower` is none.
  RecordedCurve curve(const std::string& name, const Json& step, const Json& value) const {
    if (!step.is_array() || !value.is_array() || step.size() != value.size()) {
      fail(fmt::format("{}: is no pair of columns of one length", name));
    }
    RecordedCurve curve;
    curve.step.reserve(step.size());
    curve.value.reserve(step.size());
    for (size_t i = 0; i < step.size(); ++i) {
      const bool is_step = step[i].is_number_integer() && step[i] >= 0 && step[i] < INT64_MAX;
      const int64_t at = is_step ? step[i].get<int64_t>() : -1;
      const bool rises = i == 0 ? at == 0 : at > curve.step.back();
      if (!rises) fail(fmt::format("{}: its steps do not rise from 0 on", name));
      const double number = value[i].is_number() ? value[i].get<double>() : std::nan("");
      if (!std::isfinite(number) || number < 0) {
        fail(fmt::format(
            "{}: is {} at step {}; accepted: a number of 0 or more", name, value[i].dump(), at));
      }
      curve.step.push_back(at);
      curve.value.push_back(number);
    }
    return curve;
  }

 private:
  /// Passes over what is large and not needed: other columns.
  static Json::parser_callback_t keeping() {
    return [parent = std::string()](int depth, Json::parse_event_t event, Json& now) mutable {
      if (event != Json::parse_event_t::key) return true;
      static const std::set<std::string> kParts = {
          "format", "config", "steps", "epochs", "hyperparameters"};
      if (depth == 1) {
        parent = now.get<std::string>();
        return kParts.count(parent) > 0;
      }
      const bool is_table = parent == "steps" || parent == "epochs";
      return depth != 2 || !is_table || now == "step" || now == kRate;
    };
  }

  std::string path_;
  Json json_;
};

/// The tuned values' columns, by name and layer.
struct Columns {
  std::vector<std::string> names;
  std::vector<std::string> layers;
  std::vector<std::vector<RecordedCurve>> curves;
};

Columns columns_of(const Trace& trace) {
  Columns columns;
  const Json& tuned = trace.part({"hyperparameters"});
  if (!tuned.is_object()) return columns;
  for (const auto& [key, column] : tuned.items()) {
    const size_t slash = key.find('/');
    const std::string name = key.substr(0, slash);
    const std::string layer = slash == std::string::npos ? "" : key.substr(slash + 1);
    if (columns.names.empty() || columns.names.back() != name) {
      columns.names.push_back(name);
      columns.curves.emplace_back();
    }
    if (columns.names.size() == 1) columns.layers.push_back(layer);
    std::vector<RecordedCurve>& curves = columns.curves.back();
    const bool fits =
        curves.size() < columns.layers.size() && columns.layers[curves.size()] == layer;
    if (!fits || !column.is_object()) {
      trace.fail(fmt::format("hyperparameters.{}: is not where its layer's is expected", key));
    }
    curves.push_back(trace.curve(
        "hyperparameters." + key, column.value("step", Json()), column.value("value", Json())));
    if (curves.back().step.empty()) trace.fail(fmt::format("hyperparameters.{}: is empty", key));
  }
  for (const auto& curves : columns.curves) {
    if (curves.size() != columns.layers.size()) trace.fail("hyperparameters: a layer is missing");
  }
  if (columns.layers.size() == 1 && columns.layers.front().empty()) columns.layers.clear();
  return columns;
}

/// Whether the run used values that no trace holds.
void require_whole(const Trace& trace, const Columns& columns) {
  if (trace.word({"config", "tuner", "name"}) == "replay") {
    const std::string other = trace.word({"config", "tuner", "trace"});
    trace.fail(
        fmt::format("is of a replay, whose trace has but its learning rate; accepted: the "
                    "trace that it replayed, {}",
                    other));
  }
  if (trace.word({"config", "optimizer", "name"}) == "smd") {
    trace.fail(
        "is of optimizer.name: smd, which has a rate for each weight, and a trace their "
        "mean; accepted: traces of the other optimizers");
  }
  const Json& tune = trace.part({"config", "tuner", "tune"});
  if (!tune.is_array()) return;
  for (const Json& name : tune) {
    const auto found = std::find(columns.names.begin(), columns.names.end(), name);
    if (found != columns.names.end()) continue;
    trace.fail(
        fmt::format("has no values of the tuned {}; accepted: a trace that has those of "
                    "all hyperparameters in its tuner.tune",
                    name.dump()));
  }
}

/// A rate that no meta step has moved is no column: the steps have it, for all layers alike.
void put_rate_first(Columns& columns, const RecordedCurve& rate) {
  const auto found = std::find(columns.names.begin(), columns.names.end(), kRate);
  if (found == columns.names.end()) {
    const RecordedCurve constant{{0}, {rate.value.front()}};
    const std::vector<RecordedCurve> all(std::max<size_t>(1, columns.layers.size()), constant);
    columns.names.insert(columns.names.begin(), kRate);
    columns.curves.insert(columns.curves.begin(), all);
    return;
  }
  const auto at = columns.curves.begin() + (found - columns.names.begin());
  std::rotate(columns.names.begin(), found, found + 1);
  std::rotate(columns.curves.begin(), at, at + 1);
}

/// What steps made of their layers' learned rates.
RecordedCurve factors(const Trace& trace,
                      const RecordedCurve& used,
                      const std::vector<RecordedCurve>& learned) {
  RecordedCurve factors{used.step, {}};
  factors.value.reserve(used.step.size());
  std::vector<double> now(learned.size());
  for (size_t i = 0; i < used.step.size(); ++i) {
    for (size_t k = 0; k < now.size(); ++k) now[k] = learned[k].held(used.step[i]);
    const double mean = geometric_mean(now);
    const double factor = mean > 0 ? used.value[i] / mean : 1;
    if (!std::isfinite(factor)) {
      trace.fail(fmt::format("steps.learning_rate: is {} at step {}, where the layers' mean is {}",
                             used.value[i],
                             used.step[i],
                             mean));
    }
    factors.value.push_back(std::abs(factor - 1) < kSame ? 1 : factor);
  }
  return factors;
}

}  // namespace

double RecordedCurve::held(int64_t at) const {
  const auto after = std::upper_bound(step.begin(), step.end(), at);
  return value[static_cast<size_t>(after - step.begin()) - 1];
}

double RecordedCurve::between(double at) const {
  const auto after = std::upper_bound(
      step.begin(), step.end(), at, [](double a, int64_t b) { return a < static_cast<double>(b); });
  const auto next = static_cast<size_t>(after - step.begin());
  const auto from = static_cast<double>(step[next - 1]);
  if (next == step.size() || from == at) return value[next - 1];
  const double share = (at - from) / (static_cast<double>(step[next]) - from);
  return mixed(value[next - 1], value[next], share);
}

std::vector<double> RecordedValues::at_step(int64_t step, size_t h) const {
  const bool is_rate = names_[h] == kRate;
  if (is_rate && layers_.empty()) return {rate_.between(static_cast<double>(step))};
  std::vector<double> values;
  values.reserve(learned_[h].size());
  for (const RecordedCurve& curve : learned_[h]) values.push_back(curve.held(step));
  if (is_rate) {
    const double factor = factor_.between(static_cast<double>(step));
    for (double& value : values) value *= factor;
  }
  return values;
}

std::vector<double> RecordedValues::at(double step, size_t h) const {
  const double place = std::min(step, static_cast<double>(steps_ - 1));
  const double whole = std::floor(place);
  std::vector<double> values = at_step(static_cast<int64_t>(whole), h);
  if (place == whole) return values;
  const std::vector<double> next = at_step(static_cast<int64_t>(whole) + 1, h);
  for (size_t k = 0; k < values.size(); ++k) values[k] = mixed(values[k], next[k], place - whole);
  return values;
}

std::optional<double> RecordedValues::outside(size_t h, const Range& range) const {
  for (const RecordedCurve& curve : learned_[h]) {
    for (const double value : curve.value) {
      if (!range.contains(value)) return value;
    }
  }
  return std::nullopt;
}

RecordedValues read_recorded(const fs::path& path) {
  std::error_code none;
  const fs::path file = fs::is_directory(path, none) ? path / "trace.json" : path;
  const std::string text = read_file(file, kMostBytes);
  const Trace trace(text, file.string());
  RecordedValues values;
  values.checksum_ = checksum_of(text);
  values.optimizer_ = trace.word({"config", "optimizer", "name"});
  const Json& clip = trace.part({"config", "optimizer", "clip_outliers"});
  if (clip.is_number()) values.clip_outliers_ = clip.get<double>();
  values.rate_ = trace.curve(
      "steps.learning_rate", trace.part({"steps", "step"}), trace.part({"steps", kRate}));
  if (values.rate_.step.empty()) trace.fail("has no steps; accepted: a run that has taken some");
  values.steps_ = values.rate_.step.back() + 1;
  const Json& epochs = trace.part({"epochs", "step"});  // with trace.every they know the end better
  if (epochs.is_array() && !epochs.empty() && epochs.back().is_number_integer()) {
    values.steps_ = std::max(values.steps_, epochs.back().get<int64_t>());
  }

  Columns columns = columns_of(trace);
  require_whole(trace, columns);
  put_rate_first(columns, values.rate_);
  if (!columns.layers.empty()) values.factor_ = factors(trace, values.rate_, columns.curves[0]);
  values.names_ = std::move(columns.names);
  values.layers_ = std::move(columns.layers);
  values.learned_ = std::move(columns.curves);
  return values;
}

}  // namespace apo
