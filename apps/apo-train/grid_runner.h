// Runs of a grid, each in a process of its own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apo/base/child.h"

namespace apo {

struct ChildResult {
  /// Its place among the runs.
  size_t index = 0;
  /// The exit code is 127 where it could not be started.
  Child::End end = {};
};

/// Runs `executable` with each of `runs`, the words behind its name, `jobs` at a time, in their
/// order, and calls `on_end` after each in the order of their ends. One that fails leaves the
/// others alone.
///
/// A single job writes to the terminal; several have their output kept back. The environment is
/// ours with the settings of base/waiting.h. `threads_per_child` above 0 becomes `--threads`. Each
/// reads `input`, opened anew.
///
/// The signals of kEndSignals are passed on to the children, which are waited for, and no others
/// are started. Returns the signal received, or 0.
int run_children(const std::filesystem::path& executable,
                 const std::vector<std::vector<std::string>>& runs,
                 size_t jobs,
                 size_t threads_per_child,
                 const std::function<void(const ChildResult&)>& on_end,
                 const std::string& input = "/dev/null");

}  // namespace apo
