#include "apo/trace/report_run.h"

#include <cmath>
#include <limits>

#include "apo/trace/read_trace.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// json.steps.loss and the like; null where a part is missing.
Json at_path(const Json& json, const std::string& pointer) {
  const Json::json_pointer path(pointer);
  return json.contains(path) ? json.at(path) : Json(nullptr);
}

Json last(const Json& column) {
  return column.is_array() && !column.empty() ? column.back() : Json(nullptr);
}

Json first_known(const Json& wanted, const Json& otherwise) {
  return wanted.is_null() ? otherwise : wanted;
}

double number(const Json& json) {
  return json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

Curve curve(const Json& steps, const Json& values) {
  Curve curve;
  if (!steps.is_array() || !values.is_array()) return curve;
  for (size_t i = 0; i < steps.size() && i < values.size(); ++i) {
    if (!steps[i].is_number_integer()) continue;
    curve.step.push_back(steps[i].get<int64_t>());
    curve.value.push_back(number(values[i]));
  }
  return curve;
}

/// In percent; epochs without a test are left out and are no gaps.
Curve accuracy(const Json& steps, const Json& values) {
  const Curve all = curve(steps, values);
  Curve tested;
  for (size_t i = 0; i < all.step.size(); ++i) {
    if (!std::isfinite(all.value[i])) continue;
    tested.step.push_back(all.step[i]);
    tested.value.push_back(100 * all.value[i]);
  }
  return tested;
}

/// The final numbers. Of a run without summary those of the trace.
Json final_numbers(const Json& summary, const Json& trace) {
  const auto otherwise = [&](const char* in_summary, const char* in_trace) {
    return first_known(at_path(summary, in_summary), last(at_path(trace, in_trace)));
  };
  const Json last_step = last(at_path(trace, "/steps/step"));
  const Json steps = last_step.is_number() ? Json(last_step.get<int64_t>() + 1) : Json(nullptr);
  return {{"train_loss", otherwise("/final/train/loss", "/epochs/train_loss")},
          {"test_accuracy", otherwise("/final/test/accuracy", "/epochs/test_accuracy")},
          {"learning_rate", otherwise("/learning_rate", "/steps/learning_rate")},
          {"epochs", otherwise("/epochs", "/epochs/epoch")},
          {"steps", first_known(at_path(summary, "/steps"), steps)},
          {"seconds", otherwise("/wall_seconds", "/epochs/wall_seconds")}};
}

/// Steps at which epochs and seconds are known: the start, the ends of epochs, the end.
Json clock(const Json& final, const Json& trace) {
  Json step = {0};
  Json epoch = {0};
  Json seconds = {0};
  const Curve epochs = curve(at_path(trace, "/epochs/step"), at_path(trace, "/epochs/epoch"));
  const Curve times = curve(at_path(trace, "/epochs/step"), at_path(trace, "/epochs/wall_seconds"));
  for (size_t i = 0; i < epochs.step.size() && i < times.step.size(); ++i) {
    step.push_back(epochs.step[i]);
    epoch.push_back(epochs.value[i]);
    seconds.push_back(times.value[i]);
  }
  const double steps = number(final["steps"]);
  const double known = number(step.back());
  if (steps > known) {  // it ended within an epoch
    step.push_back(final["steps"]);
    epoch.push_back(known > 0 ? Json(number(epoch.back()) * steps / known) : Json(nullptr));
    // Without a summary nobody knows when.
    const double end = number(final["seconds"]);
    seconds.push_back(end > number(seconds.back()) ? Json(end)
                      : known > 0                  ? Json(number(seconds.back()) * steps / known)
                                                   : Json(nullptr));
  }
  return {{"step", step}, {"epoch", epoch}, {"seconds", seconds}};
}

}  // namespace

RunOnPage read_run(const ReportRun& run, size_t most) {
  const Json trace = read_trace(run.folder);
  const Json summary = read_json(run.folder / "summary.json");
  const Json final = final_numbers(summary, trace);
  const std::string status = !run.status.empty() ? run.status
                             : trace.empty()     ? "missing"
                                                 : "unfinished";
  RunOnPage page;
  page.facts = {{"label", run.label},
                {"status", summary.value("status", status)},
                {"message", summary.value("message", run.message)},
                {"final", final},
                {"best",
                 {{"train_loss", at_path(summary, "/best/train_loss")},
                  {"test_accuracy", at_path(summary, "/best/test_accuracy")}}},
                {"clock", clock(final, trace)}};
  const Json steps = at_path(trace, "/steps/step");
  const Json epochs = at_path(trace, "/epochs/step");
  page.curves["loss"] = thinned(curve(steps, at_path(trace, "/steps/loss")), most);
  page.curves["learning_rate"] =
      thinned(curve(steps, at_path(trace, "/steps/learning_rate")), most);
  page.curves["epoch_loss"] = thinned(curve(epochs, at_path(trace, "/epochs/train_loss")), most);
  page.curves["test_accuracy"] =
      thinned(accuracy(epochs, at_path(trace, "/epochs/test_accuracy")), most);
  const Json hyperparameters = at_path(trace, "/hyperparameters");
  for (const auto& [name, column] : hyperparameters.items()) {
    if (name == "learning_rate") continue;  // the same as the steps'
    page.hyperparameters.emplace_back(
        name, thinned(curve(at_path(column, "/step"), at_path(column, "/value")), most));
  }
  return page;
}

}  // namespace apo
