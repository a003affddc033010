// The folder that a run owns.
#pragma once

#include <filesystem>

namespace apo {

/// Throws Error(config) where the folder holds a run and `overwrite` is false, or holds things but
/// no run: such a folder is never written into.
void check_run_folder(const std::filesystem::path& folder, bool overwrite);

/// Makes the folder, after check_run_folder. Of a run that is there, the files that a run writes
/// go, nothing else. Throws Error(output).
void claim_run_folder(const std::filesystem::path& folder, bool overwrite);

}  // namespace apo
