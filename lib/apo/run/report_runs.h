// Which runs a report shows.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apo/trace/report.h"

namespace apo {

/// The run itself, or for the folder of a grid or a population its runs, best first.
std::vector<ReportRun> expanded(const ReportRun& run);

/// Writes `<folder>/report.html` of all runs of a grid or a population, then `others`. A failure is
/// one line on stderr.
void report_folder(const std::filesystem::path& folder,
                   const std::string& title,
                   const std::vector<ReportRun>& others = {});

/// `--report FILE.html [LABEL=]FOLDER …`. A folder without label is called by what tells it from
/// the others. Throws Error.
void report_words(const std::vector<std::string>& words);

}  // namespace apo
