#include "apo/trace/columns.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "apo/base/files.h"
#include "apo/trace/spool.h"

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

/// A JSON array that is written while it grows.
struct Column {
  std::string key;
  Spool::Text values;
  bool empty = true;
};

/// Objects of columns, in the order in which their keys came.
class Table {
 public:
  Table(Spool& spool, std::initializer_list<const char*> keys) : spool_(spool) {
    for (const char* key : keys) column(key);
  }

  void append(const std::string& key, const Json& value) {
    Column& of_key = column(key);
    if (!of_key.empty) spool_.append(of_key.values, ",");
    spool_.append(of_key.values, value.dump());
    of_key.empty = false;
  }
  /// A line's values, but its type.
  void append(const Json& line) {
    for (const auto& [key, value] : line.items()) {
      if (key != "type") append(key, value);
    }
  }

  bool empty() const { return columns_.empty(); }
  const std::deque<Column>& columns() const { return columns_; }

 private:
  Column& column(const std::string& key) {
    const auto [place, is_new] = places_.try_emplace(key, columns_.size());
    if (is_new) columns_.push_back({.key = key, .values = {}});
    return columns_[place->second];
  }

  Spool& spool_;
  std::deque<Column> columns_;
  std::unordered_map<std::string, size_t> places_;
};

class Columns {
 public:
  explicit Columns(const std::filesystem::path& file) : file_(file), spool_(file) {}

  void add(const Json& line) {
    const Json type = line.value("type", Json());
    if (type == "header") name_ = line.value("name", Json());
    if (type == "step") steps_.append(line);
    if (type == "epoch") epochs_.append(line);
    if (type == "meta") add_meta(line);
    if (type == "rollback") rollbacks_.append(line);
    if (type == "freeze") freezes_.append(line);
    if (type == "warning") warnings_.append(line);
  }

  void write(Json header) {
    if (name_.is_string()) header["name"] = name_;
    out_.emplace(file_);
    put("{");
    for (const auto& [key, value] : header.items()) {
      put(Json(key).dump() + ":" + value.dump() + ",");
    }
    put("\"steps\":{");
    put(steps_);
    put("},\"meta\":{");
    put(meta_);
    put(",\"gradient\":{");
    put(gradients_);
    put("},\"skipped\":" + std::to_string(skipped_) + "},\"epochs\":{");
    put(epochs_);
    put("},\"hyperparameters\":{");
    put_hyperparameters();
    put("}");
    put_if_any("rollbacks", rollbacks_);
    put_if_any("freezes", freezes_);
    put_if_any("warnings", warnings_);
    put("}\n");
    out_->commit();
  }

 private:
  void add_meta(const Json& line) {
    for (const char* key : {"step", "objective", "loss_term", "discrepancy"}) {
      meta_.append(key, line.value(key, Json()));
    }
    if (line.value("skipped", Json()) == true) ++skipped_;
    gradients_.append(line.value("gradient", Json::object()));
    const Json hyperparameters = line.value("hyperparameters", Json::object());
    for (const auto& [name, value] : hyperparameters.items()) {
      hyperparameter_steps_.append(name, line.value("step", Json()));
      hyperparameters_.append(name, value);
    }
  }

  void put(std::string_view text) { out_->write(text.data(), text.size()); }
  void put(const Column& column) {
    put("[");
    spool_.read(column.values, [this](std::string_view part) { put(part); });
    put("]");
  }
  void put(const Table& table) {
    const char* comma = "";
    for (const Column& column : table.columns()) {
      put(comma);
      put(Json(column.key).dump());
      put(":");
      put(column);
      comma = ",";
    }
  }
  void put_if_any(const std::string& key, const Table& table) {
    if (table.empty()) return;
    put(",\"" + key + "\":{");
    put(table);
    put("}");
  }
  void put_hyperparameters() {
    auto steps = hyperparameter_steps_.columns().begin();
    const char* comma = "";
    for (const Column& values : hyperparameters_.columns()) {
      put(comma);
      put(Json(values.key).dump());
      put(":{\"step\":");
      put(*steps++);
      put(",\"value\":");
      put(values);
      put("}");
      comma = ",";
    }
  }

  std::filesystem::path file_;
  Spool spool_;
  Json name_;
  int64_t skipped_ = 0;
  Table steps_{spool_, {"step", "loss", "learning_rate"}};
  Table meta_{spool_, {"step", "objective", "loss_term", "discrepancy"}};
  Table gradients_{spool_, {}};
  Table epochs_{spool_,
                {"epoch",
                 "step",
                 "train_loss",
                 "train_accuracy",
                 "test_loss",
                 "test_accuracy",
                 "learning_rate",
                 "wall_seconds"}};
  Table hyperparameter_steps_{spool_, {}};
  Table hyperparameters_{spool_, {}};
  Table rollbacks_{spool_, {}};
  Table freezes_{spool_, {}};
  Table warnings_{spool_, {}};
  std::optional<AtomicFile> out_;
};

}  // namespace

void write_columns(std::istream& lines, const Json& header, const std::filesystem::path& file) {
  Columns columns(file);
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object()) columns.add(line);
  }
  columns.write(header);
}

nlohmann::ordered_json to_json(const RunSummary& summary) {
  Json json = {
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
  if (summary.best_validation) {
    json["final"]["validation"] = to_json(summary.final_validation);
    json["best"]["validation"] = to_json(summary.best_validation);
  }
  if (const auto& average = summary.final_average) {
    json["average"] = {{"train", to_json(average->train)}, {"test", to_json(average->test)}};
  }
  if (summary.ranks > 1) {
    json["ranks"] = {{"size", summary.ranks},
                     {"messages", summary.traffic.messages},
                     {"bytes", summary.traffic.bytes},
                     {"waiting_seconds", summary.traffic.waiting_seconds},
                     {"seconds", summary.traffic.seconds}};
  }
  if (summary.final_learned_rate) json["learned_rate"] = *summary.final_learned_rate;
  return json;
}

}  // namespace apo
