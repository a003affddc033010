// report.html: the curves and the final numbers of one run or of many, in one file that needs no
// other. Its looks are in report/.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace apo {

struct ReportRun {
  std::string label;
  std::filesystem::path folder;
  /// What is said of a run that left no summary.json.
  std::string status = {};
  std::string message = {};
};

/// Writes the page of the runs, in their order. A run without files has its place in the table.
/// Long curves are thinned, the more of them the more: a page takes about 2 MB at the most, and the
/// 0.2 MB of Chart.js. Throws Error(output).
void write_report(const std::filesystem::path& file,
                  const std::string& title,
                  const std::vector<ReportRun>& runs);

/// The same for those who have done their work already and must not fail by the page. Returns what
/// went wrong, in one line, or "".
std::string try_write_report(const std::filesystem::path& file,
                             const std::string& title,
                             const std::vector<ReportRun>& runs);

}  // namespace apo
