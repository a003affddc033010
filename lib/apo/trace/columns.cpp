#include "apo/trace/columns.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(RunStatus status) {
  switch (status) {
    case RunStatus::finished:
      return "finished";
    case RunStatus::diverged:
      return "diverged";
    case RunStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

Json to_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json to_json(const std::optional<Metrics>& metrics) {
  if (!metrics) return nullptr;
  return {{"loss", metrics->loss}, {"accuracy", to_json(metrics->accuracy)}};
}

/// Puts the record's values behind those of their columns.
void append(const Json& line, Json& columns) {
  for (const auto& [key, value] : line.items()) {
    if (key != "type") columns[key].push_back(value);
  }
}

void append_meta(const Json& line, Json& trace) {
  Json& meta = trace["meta"];
  for (const char* key : {"step", "objective", "loss_term", "discrepancy"}) {
    meta[key].push_back(line.value(key, Json()));
  }
  if (line.value("skipped", false)) meta["skipped"] = meta["skipped"].get<int64_t>() + 1;
  const Json gradient = line.value("gradient", Json::object());
  for (const auto& [name, value] : gradient.items()) {
    meta["gradient"][name].push_back(value);
  }
  const Json hyperparameters = line.value("hyperparameters", Json::object());
  for (const auto& [name, value] : hyperparameters.items()) {
    Json& of_name = trace["hyperparameters"][name];
    of_name["step"].push_back(line.value("step", Json()));
    of_name["value"].push_back(value);
  }
}

}  // namespace

Json gather_columns(std::istream& lines) {
  const auto empty = [](std::initializer_list<const char*> keys) {
    Json columns = Json::object();
    for (const char* key : keys) columns[key] = Json::array();
    return columns;
  };
  Json trace = {{"steps", empty({"step", "loss", "learning_rate"})},
                {"meta", empty({"step", "objective", "loss_term", "discrepancy"})},
                {"epochs",
                 empty({"epoch",
                        "step",
                        "train_loss",
                        "train_accuracy",
                        "test_loss",
                        "test_accuracy",
                        "learning_rate",
                        "wall_seconds"})},
                {"hyperparameters", Json::object()}};
  trace["meta"]["gradient"] = Json::object();
  trace["meta"]["skipped"] = 0;
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;
    const std::string type = line.value("type", "");
    if (type == "header") trace["name"] = line.value("name", "");
    if (type == "step") append(line, trace["steps"]);
    if (type == "epoch") append(line, trace["epochs"]);
    if (type == "meta") append_meta(line, trace);
    if (type == "rollback") append(line, trace["rollbacks"]);
  }
  return trace;
}

nlohmann::ordered_json to_json(const RunSummary& summary) {
  return {
      {"status", name_of(summary.status)},
      {"message", summary.message},
      {"epochs", summary.epochs},
      {"steps", summary.steps},
      {"final", {{"train", to_json(summary.final_train)}, {"test", to_json(summary.final_test)}}},
      {"best",
       {{"train_loss", to_json(summary.best_train_loss)},
        {"test_accuracy", to_json(summary.best_test_accuracy)}}},
      {"learning_rate", summary.final_learning_rate},
      {"wall_seconds", summary.wall_seconds},
      {"steps_per_second", summary.steps_per_second},
      {"meta_share", summary.meta_share},
      {"meta_skipped", summary.meta_skipped},
      {"peak_memory_bytes", summary.peak_memory_bytes}};
}

}  // namespace apo
