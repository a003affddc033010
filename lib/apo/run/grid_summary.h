// The end of a grid: its runs, best first.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apo/run/plan.h"

namespace apo {

/// A run that has ended, however.
struct EndedRun {
  std::string label;
  std::filesystem::path folder;
  nlohmann::ordered_json values;  ///< of the axes: key → value
  int exit_code = 0;
  std::string last_line = {};  ///< of its stderr; the message of a run that left no summary
};

/// A run that has not ended.
struct LeftRun {
  size_t index = 0;  ///< among the plan's
  std::string label;
  std::string status = "not started";
};

/// The content of grid.json. Runs are ranked by final training loss, the paper's criterion; those
/// without one come last. Reads each run's summary.json; a run that left none counts as failed.
nlohmann::ordered_json summarize_grid(const std::string& name,
                                      const nlohmann::ordered_json& axes,
                                      const std::vector<EndedRun>& runs);

/// The same as a table for the terminal, with the best run and the folder of the traces below;
/// `file` is where the ranking is written. What a terminal of `room` columns (0: as many as it
/// takes) has no place for is left out: the seconds, the learning rates, what it is not ranked by.
std::string grid_table(const nlohmann::ordered_json& grid,
                       const std::filesystem::path& folder,
                       const std::string& file,
                       size_t room);

/// While it lives others wait who would write what is said of the whole folder: two that write a
/// file at once would take each other's temporary one away. The kernel's lock, which ends with the
/// process; a file system without locks has none.
class FolderTurn {
 public:
  explicit FolderTurn(const std::filesystem::path& folder);
  ~FolderTurn();
  FolderTurn(const FolderTurn&) = delete;
  FolderTurn& operator=(const FolderTurn&) = delete;

 private:
  int folder_;
};

/// The runs of the plan that an interruption left out.
std::vector<LeftRun> not_started(const Plan& plan, const std::vector<EndedRun>& ended);

/// Writes the folder's grid.json and report.html, with those that have not ended, and shows the
/// table. Throws Error(output).
void write_grid(const Plan& plan,
                const std::filesystem::path& folder,
                const std::vector<EndedRun>& ended,
                const std::vector<LeftRun>& left);

}  // namespace apo
