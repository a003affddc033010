#include "apo/run/grid_summary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

#include "apo/base/error.h"
#include "apo/base/files.h"
#include "apo/base/terminal.h"
#include "apo/run/report_runs.h"
#include "apo/trace/read_trace.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

/// Of a run that left none of ours: an empty one.
Json summary_of(const EndedRun& run) {
  try {
    return read_summary(run.folder);
  } catch (const Error&) {
    return Json::object();
  }
}

/// summary.final.train.loss and the like; null where a part is missing.
Json at_path(const Json& summary, const char* pointer) {
  const Json::json_pointer path(pointer);
  return summary.contains(path) ? summary.at(path) : Json(nullptr);
}

/// What a grid is ranked by: on the validation set where its runs have one.
struct Ranking {
  const char* key;
  const char* words;
  double sign;  ///< −1: the larger the better
};
constexpr Ranking kTrainLoss{"train_loss", "final training loss", 1};
constexpr std::array kOnValidation{Ranking{"validation_accuracy", "final validation accuracy", -1},
                                   Ranking{"validation_loss", "final validation loss", 1}};

const Ranking& ranking_of(const Json& rows) {
  for (const Ranking& ranking : kOnValidation) {
    const auto has = [&](const Json& row) {
      return row.contains(ranking.key) && row[ranking.key].is_number();
    };
    if (std::any_of(rows.begin(), rows.end(), has)) return ranking;
  }
  return kTrainLoss;
}

/// The smaller the better.
double sort_key(const Json& run, const Ranking& ranking) {
  const Json value = run.value(ranking.key, Json());
  const bool ranked = run["status"] != "diverged" && value.is_number();
  return ranked ? ranking.sign * value.get<double>() : std::numeric_limits<double>::infinity();
}

std::string cell(const Json& value, const char* format, double scale = 1) {
  return value.is_number() ? fmt::format(fmt::runtime(format), scale * value.get<double>()) : "-";
}

/// A column of the table: its head, then a cell for each run.
struct Column {
  std::vector<std::string> cells;
  int goes = 0;  ///< its turn to go where there is no room for all; 0: it stays

  size_t width() const {
    size_t width = 0;
    for (const std::string& cell : cells) width = std::max(width, cell.size());
    return width;
  }
};

std::vector<Column> columns_for(const Json& runs) {
  const auto column = [&](const char* head, const auto& cell_of, int goes = 0) {
    Column made{{head}, goes};
    for (const Json& run : runs) made.cells.push_back(cell_of(run));
    return made;
  };
  const auto number = [](const char* key, const char* format, double scale = 1) {
    return [=](const Json& run) { return cell(run.value(key, Json()), format, scale); };
  };
  std::vector<Column> columns = {column("rank", number("rank", "{:.0f}"))};
  const std::string ranked_by = ranking_of(runs).key;
  if (ranked_by == "validation_accuracy") {
    columns.push_back(column("validation", number("validation_accuracy", "{:.2f} %", 100)));
  } else if (ranked_by == "validation_loss") {
    columns.push_back(column("validation", number("validation_loss", "{:.4g}")));
  }
  const int train_loss_goes = columns.size() > 1 ? 3 : 0;
  const auto status = [](const Json& run) { return run["status"].get<std::string>(); };
  columns.push_back(column("train loss", number("train_loss", "{:.4g}"), train_loss_goes));
  columns.push_back(column("test accuracy", number("test_accuracy", "{:.2f} %", 100)));
  columns.push_back(column("learning rate", number("learning_rate", "{:.3g}"), 2));
  columns.push_back(column("seconds", number("wall_seconds", "{:.0f}"), 1));
  columns.push_back(column("status", status, 4));
  return columns;
}

/// Those that leave some room for a run's name; all of them where `room` is 0.
std::vector<Column> fitting(std::vector<Column> columns, size_t room) {
  constexpr std::array<size_t, 4> kName{20, 20, 6, 6};  // which a column must leave
  for (size_t i = 0; i < kName.size() && room > 0; ++i) {
    size_t width = kName[i];
    for (const Column& column : columns) width += column.width() + 2;
    if (width <= room) continue;
    std::erase_if(columns,
                  [&](const Column& column) { return column.goes == static_cast<int>(i) + 1; });
  }
  return columns;
}

}  // namespace

Json summarize_grid(const std::string& name, const Json& axes, const std::vector<EndedRun>& runs) {
  std::vector<Json> rows;
  for (const EndedRun& run : runs) {
    const Json summary = summary_of(run);
    rows.push_back({{"rank", 0},
                    {"label", run.label},
                    {"folder", run.folder.filename().string()},
                    {"values", run.values},
                    {"exit_code", run.exit_code},
                    {"status", summary.value("status", "failed")},
                    {"message", summary.value("message", run.last_line)},
                    {"train_loss", at_path(summary, "/final/train/loss")},
                    {"test_accuracy", at_path(summary, "/final/test/accuracy")},
                    {"learning_rate", at_path(summary, "/learning_rate")},
                    {"wall_seconds", at_path(summary, "/wall_seconds")}});
    if (summary.contains(Json::json_pointer("/final/validation"))) {
      rows.back()["validation_loss"] = at_path(summary, "/final/validation/loss");
      rows.back()["validation_accuracy"] = at_path(summary, "/final/validation/accuracy");
    }
  }
  const Ranking& ranking = ranking_of(Json(rows));
  std::stable_sort(rows.begin(), rows.end(), [&](const Json& a, const Json& b) {
    return sort_key(a, ranking) < sort_key(b, ranking);
  });
  for (size_t i = 0; i < rows.size(); ++i) rows[i]["rank"] = i + 1;
  return {{"format", "apo-grid"}, {"version", 1}, {"name", name}, {"axes", axes}, {"runs", rows}};
}

std::string grid_table(const Json& grid,
                       const std::filesystem::path& folder,
                       const std::string& file,
                       size_t room) {
  std::string table = "\n";
  const std::vector<Column> columns = fitting(columns_for(grid["runs"]), room);
  for (size_t row = 0; row <= grid["runs"].size(); ++row) {
    std::string line;
    for (const Column& column : columns) {
      line += fmt::format("{:>{}}  ", column.cells[row], column.width());
    }
    // The longest last: where it is broken, the numbers still stand below each other.
    line += row == 0 ? "run" : grid["runs"][row - 1]["label"].get<std::string>();
    table += line + "\n";
  }
  const Json& best = grid["runs"].front();
  const Ranking& ranking = ranking_of(grid["runs"]);
  if (sort_key(best, ranking) < std::numeric_limits<double>::infinity()) {
    table += fmt::format("\nbest by {}: {}\n", ranking.words, best["label"].get<std::string>());
  }
  return table + fmt::format("traces: {}/*/trace.json, the ranking: {}, all on a page: {}\n",
                             folder.string(),
                             (folder / file).string(),
                             (folder / "report.html").string());
}

FolderTurn::FolderTurn(const std::filesystem::path& folder)
    : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_ >= 0) ::flock(folder_, LOCK_EX);
}

FolderTurn::~FolderTurn() {
  if (folder_ >= 0) ::close(folder_);
}

std::vector<LeftRun> not_started(const Plan& plan, const std::vector<EndedRun>& ended) {
  std::vector<LeftRun> left;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const std::string& label = plan.runs[i].label;
    const bool started = std::any_of(
        ended.begin(), ended.end(), [&](const EndedRun& other) { return other.label == label; });
    if (!started) left.push_back({.index = i, .label = label});
  }
  return left;
}

void write_grid(const Plan& plan,
                const std::filesystem::path& folder,
                const std::vector<EndedRun>& ended,
                const std::vector<LeftRun>& left) {
  Json grid = summarize_grid(plan.name, plan.axes, ended);
  grid["left"] = Json::array();
  std::vector<ReportRun> rows;
  rows.reserve(left.size());
  for (const LeftRun& run : left) {
    grid["left"].push_back(run.label);
    rows.push_back({.label = run.label, .folder = {}, .status = run.status});
  }
  make_folder(folder);
  const FolderTurn turn(folder);
  write_file(folder / "grid.json", grid.dump(2) + "\n");
  report_folder(folder, plan.name, rows);
  show(grid_table(grid, folder, "grid.json", terminal_columns(STDOUT_FILENO)));
}

}  // namespace apo
