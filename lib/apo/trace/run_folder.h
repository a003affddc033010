// The folder that a run owns.
#pragma once

#include <filesystem>

namespace apo {

/// Throws Error(config) where the folder exists and `overwrite` is false, or where it is no run
/// folder (holds neither config.yaml nor grid.json), which is never replaced.
void check_run_folder(const std::filesystem::path& folder, bool overwrite);

/// Makes the folder, empty. A run folder that is there goes, after check_run_folder. Throws
/// Error(output).
void claim_run_folder(const std::filesystem::path& folder, bool overwrite);

}  // namespace apo
