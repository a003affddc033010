#include "apo/trace/report.h"

#include <algorithm>
#include <exception>
#include <string_view>

#include "apo/base/explain.h"
#include "apo/base/files.h"
#include "apo/trace/report_run.h"
#include "apo/trace/report_template.h"
#include "apo/trace/settings.h"

namespace apo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostOfCurve = 2000;    // points; a screen has about as many pixels
constexpr size_t kMostOfPage = 120'000;  // points, of about 16 bytes
constexpr size_t kLeastOfCurve = 32;

/// Thins all alike where they are too many for a page. Returns the most points that one may have.
size_t thin_to_fit(std::vector<RunOnPage>& runs) {
  std::vector<Curve*> curves;
  for (RunOnPage& run : runs) {
    for (auto& [name, curve] : run.curves) curves.push_back(&curve);
    for (auto& [name, curve] : run.hyperparameters) curves.push_back(&curve);
  }
  size_t points = 0;
  for (const Curve* curve : curves) points += curve->step.size();
  if (points <= kMostOfPage) return kMostOfCurve;
  const size_t most = std::clamp(kMostOfPage / curves.size(), kLeastOfCurve, kMostOfCurve);
  for (Curve* curve : curves) *curve = thinned(*curve, most);
  return most;
}

Json to_json(const RunOnPage& run) {
  Json json = run.facts;
  for (const auto& [name, curve] : run.curves) json[name] = to_json(curve);
  json["hyperparameters"] = Json::object();
  for (const auto& [name, curve] : run.hyperparameters) {
    json["hyperparameters"][name] = to_json(curve);
  }
  return json;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (size_t i = 0; (i = text.find(what, i)) != std::string::npos; i += by.size()) {
    text.replace(i, what.size(), by);
  }
  return text;
}

std::string in_html(std::string text) {
  text = replaced(std::move(text), "&", "&amp;");
  text = replaced(std::move(text), "\"", "&quot;");
  return replaced(replaced(std::move(text), "<", "&lt;"), ">", "&gt;");
}

/// For a <script> element, which ends at the next "</script" whatever it holds.
std::string in_script(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return replaced(text, "<", "\\u003c");
}

/// The template with its places filled; what is filled in is not looked at again.
std::string filled(std::string_view page, const std::string& title, const std::string& data) {
  constexpr std::string_view kTitle = "{{title}}";
  constexpr std::string_view kData = "{{data}}";
  std::string text;
  while (!page.empty()) {
    const size_t place = std::min({page.find(kTitle), page.find(kData), page.size()});
    text += page.substr(0, place);
    page.remove_prefix(place);
    const bool titled = page.starts_with(kTitle);
    if (page.empty()) break;
    text += titled ? title : data;
    page.remove_prefix((titled ? kTitle : kData).size());
  }
  return text;
}

}  // namespace

void write_report(const std::filesystem::path& file,
                  const std::string& title,
                  const std::vector<ReportRun>& runs) {
  std::vector<RunOnPage> read;
  read.reserve(runs.size());
  for (const ReportRun& run : runs) read.push_back(read_run(run, kMostOfCurve));
  std::vector<Json> configs;
  configs.reserve(read.size());
  for (const RunOnPage& run : read) configs.push_back(run.config);
  const Json settings = compared_settings(configs);
  Json data = {
      {"most", thin_to_fit(read)}, {"settings", settings["shared"]}, {"runs", Json::array()}};
  for (size_t i = 0; i < read.size(); ++i) {
    data["runs"].push_back(to_json(read[i]));
    data["runs"].back()["settings"] = settings["runs"][i];
  }
  write_file(file, filled(report_template(), in_html(title), in_script(data)));
}

std::string try_write_report(const std::filesystem::path& file,
                             const std::string& title,
                             const std::vector<ReportRun>& runs) {
  try {
    write_report(file, title, runs);
    return "";
  } catch (const std::exception& error) {
    return "warning: no report: " + first_line(error.what());
  }
}

}  // namespace apo
