// Runs of a grid, each in a process of its own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace apo {

struct ChildRun {
  std::string label;
  /// Behind the program's name.
  std::vector<std::string> arguments;
};

/// How a child ended.
struct ChildResult {
  /// Its place among the runs.
  size_t index = 0;
  std::string label = {};
  /// 127 where it could not be started; 128 + signal where a signal killed it.
  int exit_code = 0;
  /// The signal that killed it, or 0.
  int signal = 0;
  /// Of its stderr, where that did not go to the terminal.
  std::string last_line = {};
};

/// Runs `executable` for every run, `jobs` at a time, in their order, and calls `on_end` after each
/// in the order of their ends. One that fails leaves the others alone.
///
/// A single job writes to the terminal; several have their output kept back. The environment is
/// ours with the settings of waiting.h. `threads_per_child` above 0 becomes `--threads`.
///
/// The signals of kEndSignals are passed on to the children, which are waited for, and no others
/// are started. Returns the signal received, or 0.
int run_children(const std::filesystem::path& executable,
                 const std::vector<ChildRun>& runs,
                 size_t jobs,
                 size_t threads_per_child,
                 const std::function<void(const ChildResult&)>& on_end);

}  // namespace apo
