#include "apo/trace/report_run.h"

#include <cmath>
#include <cstdint>
#include <functional>
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

/// The first that is a number, or null.
Json first_known(const Json& wanted, const Json& otherwise) {
  if (wanted.is_number()) return wanted;
  return otherwise.is_number() ? otherwise : Json(nullptr);
}

double number(const Json& json) {
  return json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// Sees the points of the page's curves: the curve's name, whether it is a tuned hyperparameter's,
/// step and value.
using SeePoint = std::function<void(const std::string&, bool, int64_t, double)>;

/// Epochs without an evaluation are left out and are no gaps.
void see_evaluation(const Json& epoch, int64_t step, const SeePoint& see) {
  const auto see_known = [&](const char* name, double scale) {
    const double value = number(epoch.value(name, Json()));
    if (std::isfinite(value)) see(name, false, step, scale * value);
  };
  for (const char* loss :
       {"test_loss", "validation_loss", "average_train_loss", "average_test_loss"}) {
    see_known(loss, 1);
  }
  for (const char* accuracy : {"test_accuracy", "validation_accuracy", "average_test_accuracy"}) {
    see_known(accuracy, 100);
  }
}

void see_points(const Json& record, const SeePoint& see) {
  const Json type = record.value("type", Json());
  const Json place = record.value("step", Json());
  if (!place.is_number_integer()) return;
  const auto step = place.get<int64_t>();
  if (type == "step") {
    see("loss", false, step, number(record.value("loss", Json())));
    see("learning_rate", false, step, number(record.value("learning_rate", Json())));
  } else if (type == "epoch") {
    see("epoch_loss", false, step, number(record.value("train_loss", Json())));
    see_evaluation(record, step, see);
  } else if (type == "meta") {
    const Json values = record.value("hyperparameters", Json::object());
    for (const auto& [name, value] : values.items()) {
      if (name != "learning_rate") see(name, true, step, number(value));  // that is the steps'
    }
  }
}

/// What is known of a run before its curves are thinned.
struct Overview {
  bool found = false;
  Json config;
  Json last_step = Json::object();
  Json last_epoch = Json::object();
  size_t epochs = 0;
  std::map<std::string, size_t> points;                           ///< of each curve
  std::vector<std::pair<std::string, size_t>> tuned_points = {};  ///< in the order of the trace
  std::map<std::string, size_t> tuned_places;
  Json warnings = Json::array();
};

/// A line for the page; nothing that is not as a run writes it.
void note_warning(const Json& record, Json& warnings) {
  const Json step = record.value("step", Json());
  const Json message = record.value("message", Json());
  if (!step.is_number_integer() || !message.is_string()) return;
  warnings.push_back("step " + step.dump() + ": " + message.get<std::string>());
}

Overview overview(const std::filesystem::path& folder) {
  Overview seen;
  const SeePoint count = [&](const std::string& name, bool tuned, int64_t, double) {
    if (!tuned) {
      ++seen.points[name];
      return;
    }
    const auto [place, is_new] = seen.tuned_places.try_emplace(name, seen.tuned_points.size());
    if (is_new) seen.tuned_points.emplace_back(name, 0);
    ++seen.tuned_points[place->second].second;
  };
  seen.found = for_each_record(folder, [&](const Json& record) {
    const Json type = record.value("type", Json());
    if (type == "header") seen.config = record.value("config", Json());
    if (type == "step") seen.last_step = record;
    if (type == "warning") note_warning(record, seen.warnings);
    if (type == "epoch") {
      seen.last_epoch = record;
      ++seen.epochs;
    }
    see_points(record, count);
  });
  return seen;
}

/// The final numbers. Of a run without summary those of the trace.
Json final_numbers(const Json& summary, const Overview& seen) {
  const auto otherwise = [&](const char* in_summary, const Json& record, const char* key) {
    return first_known(at_path(summary, in_summary), record.value(key, Json()));
  };
  const Json& step = seen.last_step;
  const Json& epoch = seen.last_epoch;
  const Json last = step.value("step", Json());
  const Json steps = last.is_number() ? Json(last.get<int64_t>() + 1) : Json(nullptr);
  return {{"train_loss", otherwise("/final/train/loss", epoch, "train_loss")},
          {"test_loss", otherwise("/final/test/loss", epoch, "test_loss")},
          {"test_accuracy", otherwise("/final/test/accuracy", epoch, "test_accuracy")},
          {"validation_loss", otherwise("/final/validation/loss", epoch, "validation_loss")},
          {"validation_accuracy",
           otherwise("/final/validation/accuracy", epoch, "validation_accuracy")},
          {"average_test_accuracy",
           otherwise("/average/test/accuracy", epoch, "average_test_accuracy")},
          {"learning_rate", otherwise("/learning_rate", step, "learning_rate")},
          {"epochs", otherwise("/epochs", epoch, "epoch")},
          {"steps", first_known(at_path(summary, "/steps"), steps)},
          {"seconds", otherwise("/wall_seconds", epoch, "wall_seconds")}};
}

/// Steps at which epochs and seconds are known: the start, the ends of epochs, the end.
class Clock {
 public:
  /// Of so many epochs, at most `most`: every n-th and the last.
  Clock(size_t epochs, size_t most) : epochs_(epochs), every_((epochs + most - 1) / most) {}

  void add(const Json& epoch) {
    ++seen_;
    if (seen_ % every_ != 0 && seen_ != epochs_) return;
    const Json step = epoch.value("step", Json());
    if (!step.is_number_integer()) return;
    step_.push_back(step);
    epoch_.push_back(number(epoch.value("epoch", Json())));
    seconds_.push_back(number(epoch.value("wall_seconds", Json())));
  }

  Json ended(const Json& final) {
    const double steps = number(final["steps"]);
    const double known = number(step_.back());
    if (steps > known) {  // it ended within an epoch
      step_.push_back(final["steps"]);
      epoch_.push_back(known > 0 ? Json(number(epoch_.back()) * steps / known) : Json(nullptr));
      // Without a summary nobody knows when.
      const double end = number(final["seconds"]);
      seconds_.push_back(end > number(seconds_.back()) ? Json(end)
                         : known > 0 ? Json(number(seconds_.back()) * steps / known)
                                     : Json(nullptr));
    }
    return {{"step", step_}, {"epoch", epoch_}, {"seconds", seconds_}};
  }

 private:
  size_t epochs_;
  size_t every_;
  size_t seen_ = 0;
  Json step_ = {0};
  Json epoch_ = {0};
  Json seconds_ = {0};
};

/// Fills the page's curves and returns the clock: a second pass, whose memory does not grow with
/// the run.
Json read_curves(const std::filesystem::path& folder,
                 const Overview& seen,
                 const Json& final,
                 size_t most,
                 RunOnPage& page) {
  std::map<std::string, Thinner> curves;
  for (const char* name : {"loss",
                           "learning_rate",
                           "epoch_loss",
                           "test_loss",
                           "test_accuracy",
                           "validation_loss",
                           "validation_accuracy",
                           "average_train_loss",
                           "average_test_loss",
                           "average_test_accuracy"}) {
    const auto points = seen.points.find(name);
    curves.emplace(name, Thinner(points == seen.points.end() ? 0 : points->second, most));
  }
  std::vector<Thinner> tuned;
  for (const auto& [name, points] : seen.tuned_points) tuned.emplace_back(points, most);
  Clock clock(seen.epochs, most);
  const SeePoint add = [&](const std::string& name, bool is_tuned, int64_t step, double value) {
    if (!is_tuned) {
      curves.at(name).add(step, value);
    } else if (const auto place = seen.tuned_places.find(name); place != seen.tuned_places.end()) {
      tuned[place->second].add(step, value);  // a run that goes on may have begun another
    }
  };
  for_each_record(folder, [&](const Json& record) {
    see_points(record, add);
    if (record.value("type", Json()) == "epoch") clock.add(record);
  });
  for (auto& [name, thinner] : curves) page.curves[name] = thinner.take();
  for (size_t i = 0; i < tuned.size(); ++i) {
    page.hyperparameters.emplace_back(seen.tuned_points[i].first, tuned[i].take());
  }
  return clock.ended(final);
}

}  // namespace

RunOnPage read_run(const ReportRun& run, size_t most) {
  const Overview seen = overview(run.folder);
  const Json summary = read_summary(run.folder);
  const Json final = final_numbers(summary, seen);
  const std::string status = !run.status.empty() ? run.status
                             : seen.found        ? "unfinished"
                                                 : "missing";
  RunOnPage page;
  page.config = seen.config;
  const Json clock = read_curves(run.folder, seen, final, most, page);
  page.facts = {{"label", run.label},
                {"status", summary.value("status", status)},
                {"message", summary.value("message", run.message)},
                {"warnings", seen.warnings},
                {"final", final},
                {"best",
                 {{"train_loss", at_path(summary, "/best/train_loss")},
                  {"validation_loss", at_path(summary, "/best/validation/loss")},
                  {"validation_accuracy", at_path(summary, "/best/validation/accuracy")},
                  {"test_accuracy", at_path(summary, "/best/test_accuracy")}}},
                {"clock", clock}};
  return page;
}

}  // namespace apo
