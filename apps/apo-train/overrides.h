// The words of a command line that set configuration keys.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace apo {

/// A configuration key that the command line sets.
struct Override {
  std::string key;
  /// In YAML syntax.
  std::string value;
  /// How messages name it, as it was typed: "--seed 1".
  std::string place;
};

struct Arguments {
  /// In the order of the command line: the last on a key counts.
  std::vector<Override> overrides = {};
  /// The words that are not theirs, in their order.
  std::vector<std::string> others = {};
};

/// Takes out of `words` what sets configuration keys: `--set KEY=VALUE`, the shorthands --device,
/// --seed and --threads, `--KEY VALUE` and `--KEY=VALUE` with a dotted key or one of the top level
/// (as W&B's sweeps write it), `KEY=VALUE` (as Hydra's users do). The options of `app` and their
/// values are none of these. Throws Error (ErrorKind::config) where a value is missing.
Arguments split_arguments(const std::vector<std::string>& words, const CLI::App& app);

/// The keys of the top level, the sections among them.
std::vector<std::string> top_level_keys();

}  // namespace apo
