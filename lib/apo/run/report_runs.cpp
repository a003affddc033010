#include "apo/run/report_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "apo/base/error.h"
#include "apo/base/terminal.h"
#include "apo/trace/read_trace.h"

namespace apo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::config, message);
}

bool holds_runs(const fs::path& folder) {
  const auto holds = [&](const char* name) { return fs::exists(folder / name); };
  return holds("trace.jsonl") || holds("trace.json") || holds("grid.json") ||
         holds("population.json");
}

/// "LABEL=FOLDER" or "FOLDER", where both may hold '='. The label is empty where none is given.
ReportRun run_of(const std::string& word) {
  if (holds_runs(word)) return {"", word};
  for (size_t i = word.find('='); i != std::string::npos; i = word.find('=', i + 1)) {
    if (holds_runs(word.substr(i + 1))) return {word.substr(0, i), word.substr(i + 1)};
  }
  fail(
      fmt::format("--report: {}: is no folder of a run; accepted: folders with a trace.jsonl, "
                  "a trace.json, a grid.json or a population.json",
                  word));
}

std::vector<fs::path> parts_of(const fs::path& folder) {
  const fs::path whole = (fs::absolute(folder) / "").lexically_normal().parent_path();
  return {whole.begin(), whole.end()};
}

/// Calls those without a label by their paths, as far as these differ.
void add_labels(std::vector<ReportRun>& runs) {
  const std::vector<fs::path> first = parts_of(runs.front().folder);
  size_t shared = first.size() - 1;
  for (const ReportRun& run : runs) {
    const std::vector<fs::path> parts = parts_of(run.folder);
    const auto last = std::prev(parts.end());
    const auto parting = std::mismatch(first.begin(), first.end(), parts.begin(), last).first;
    shared = std::min(shared, static_cast<size_t>(parting - first.begin()));
  }
  for (ReportRun& run : runs) {
    if (!run.label.empty()) continue;
    const std::vector<fs::path> parts = parts_of(run.folder);
    fs::path label;
    for (size_t i = shared; i < parts.size(); ++i) label /= parts[i];
    run.label = label.string();
  }
}

/// Through as many levels as there can be: a grid's, and a population's below.
std::vector<ReportRun> expanded_through(int levels, const ReportRun& run) {
  std::vector<ReportRun> all;
  for (const char* ranking : {"grid.json", "population.json"}) {
    if (levels == 0) continue;
    for (const Json& row : read_json(run.folder / ranking).value("runs", Json::array())) {
      const std::string label = row.value("label", "");
      const ReportRun member = {run.label.empty() ? label : run.label + "/" + label,
                                run.folder / row.value("folder", ""),
                                row.value("status", ""),
                                row.value("message", "")};
      const std::vector<ReportRun> members = expanded_through(levels - 1, member);
      all.insert(all.end(), members.begin(), members.end());
    }
  }
  return all.empty() ? std::vector<ReportRun>{run} : all;
}

}  // namespace

std::vector<ReportRun> expanded(const ReportRun& run) {
  return expanded_through(2, run);
}

void report_folder(const fs::path& folder,
                   const std::string& title,
                   const std::vector<ReportRun>& others) {
  std::vector<ReportRun> runs = expanded({"", folder});
  runs.insert(runs.end(), others.begin(), others.end());
  const std::string warning = try_write_report(folder / "report.html", title, runs);
  if (!warning.empty()) say(warning + "\n");
}

namespace {

/// A run of a grid may have failed; a page of nothing but such is a mistake.
void require_trace(const ReportRun& run) {
  const auto holds = [](const ReportRun& member) { return holds_trace(member.folder); };
  try {
    const std::vector<ReportRun> members = expanded(run);
    if (std::any_of(members.begin(), members.end(), holds)) return;
  } catch (const Json::exception&) {  // no trace of ours
  }
  fail(
      fmt::format("--report: {}: holds no trace; accepted: runs that have taken a step, whose "
                  "trace.jsonl or trace.json is whole",
                  run.folder.string()));
}

}  // namespace

void report_words(const std::vector<std::string>& words) {
  const fs::path file = words.front();
  // So that no other file is replaced by a slip.
  if (file.extension() != ".html") {
    fail(fmt::format("--report {}: the page comes first, and is called something.html",
                     words.front()));
  }
  if (words.size() < 2) fail("--report: the folders of the runs are missing; see apo-train --help");
  std::vector<ReportRun> given;
  std::transform(words.begin() + 1, words.end(), std::back_inserter(given), run_of);
  std::for_each(given.begin(), given.end(), require_trace);
  // The runs of a single grid have names enough.
  if (given.size() > 1 || expanded(given.front()).size() == 1) add_labels(given);
  std::vector<ReportRun> runs;
  for (const ReportRun& run : given) {
    const std::vector<ReportRun> members = expanded(run);
    runs.insert(runs.end(), members.begin(), members.end());
  }
  write_report(file, file.stem().string(), runs);
  deliver(fmt::format(
      "{}: {}\n", file.string(), runs.size() == 1 ? "1 run" : fmt::format("{} runs", runs.size())));
}

}  // namespace apo
