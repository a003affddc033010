// The command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apo/config/document.h"
#include "apo/trace/run_folder.h"
#include "overrides.h"

namespace apo {

struct Flags {
  /// The text of --help, --man or --completion; then nothing else counts.
  std::string help = {};
  bool version = false;
  bool list = false;
  bool list_markdown = false;

  /// The configuration to make a starter of; "" where the command line names none.
  std::optional<std::string> init = {};

  /// A file or a name; "-" for stdin.
  std::string config = {};
  /// In the order of the command line: the last on a key counts.
  std::vector<Override> overrides = {};
  std::string output = "runs";
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  bool print_config = false;

  bool list_runs = false;
  std::optional<int64_t> run_index = {};
  std::optional<int64_t> member = {};
  bool collect = false;
  int64_t jobs = 1;

  /// A run's folder or its model.safetensors, to use; then nothing else of a run counts.
  std::string evaluate = {};
  std::string predict = {};
  std::string part = {};
  std::string on = {};
  bool json = false;
  /// Says or collects what is there, beside whatever else goes on.
  bool informs() const { return print_config || list_runs || collect; }
  bool uses_model() const { return !evaluate.empty() || !predict.empty(); }

  /// A page to write, and the run folders to show on it; then nothing else counts.
  std::vector<std::string> report = {};

  std::string progress = "auto";
  std::string log_level = "info";

  Existing existing() const;
};

/// Throws Error (ErrorKind::config) for wrong usage, in one line.
Flags parse_flags(int argc, const char* const* argv);

/// Sets what the command line sets. Values get the checks of the configuration when it is read.
void apply_overrides(const Flags& flags, Document& document);

}  // namespace apo
