// A configuration file as a tree of values that know where they were written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

namespace apo {

/// Who gave a value; later ones outrank earlier ones.
enum class Layer { file, grid, command_line };

/// Ranks places: later in the file, or overridden later, is greater.
struct Rank {
  Layer layer = Layer::file;
  size_t number = 0;
  bool operator<(const Rank& other) const {
    return std::tie(layer, number) < std::tie(other.layer, other.number);
  }
};

/// A key of a mapping with its value. (A template, for clang wants it whole within ConfigNode.)
template <class Node>
struct ConfigEntry {
  std::string key;
  /// Where the key stands.
  std::string where;
  Rank rank = {};
  Node value = {};
};

/// One value of a configuration: nothing, a scalar, a list or an ordered mapping.
struct ConfigNode {
  enum class Kind { null, scalar, sequence, mapping };
  using Entry = ConfigEntry<ConfigNode>;

  Kind kind = Kind::null;
  /// The text of a scalar.
  std::string text = {};
  /// A scalar written in quotes is a string, whatever it looks like.
  bool quoted = false;
  std::vector<ConfigNode> items = {};
  std::vector<Entry> entries = {};
  /// "configs/a.yaml:14:18" (line and column from 1); for an override the words of the command
  /// line; for the whole document the file alone.
  std::string where = {};
  Rank rank = {};
  /// Of a scalar set over one of an earlier layer: the first one's text.
  std::string replaced = {};

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }
  /// The entry of a mapping, or nullptr.
  const Entry* find(const std::string& key) const;
};

/// The value at a dotted key below `mapping`, or nullptr.
const ConfigNode* find(const ConfigNode& mapping, const std::string& path);

/// The latest layer that gave a part of `node`.
Layer latest_layer(const ConfigNode& node);
/// The file's values as the grid's, which outrank them; what the command line gave stays its own.
ConfigNode raised_to_grid(ConfigNode node);

/// A configuration file, or what overrides have made of it. The top level is a mapping.
class Document {
 public:
  /// Nesting that is accepted, in a file and in a dotted key.
  static constexpr size_t kMaximalDepth = 64;

  /// Errors (ErrorKind::config) for a file that cannot be read or is no such document.
  static Document load(const std::filesystem::path& file);
  /// The same for a text; `place` stands for the file's name in messages.
  static Document parse(const std::string& text, const std::string& place);

  const ConfigNode& root() const { return root_; }
  /// The value at a dotted key such as `tuner.lambda`, or nullptr.
  const ConfigNode* find(const std::string& path) const { return apo::find(root_, path); }

  /// Sets the value at a dotted key and makes the mappings on the way to it. An Error where the
  /// way leads through a scalar or a list.
  void set(const std::string& path, ConfigNode value);
  /// The same with a value in YAML syntax; messages name `place`, such as "--seed 1".
  void set(const std::string& path, const std::string& yaml, const std::string& place);
  /// `--set KEY=VALUE`.
  void set(const std::string& assignment);
  /// Takes a key away, if it is there. Where `path` has dots in one key, as a grid's may, so too.
  void remove(const std::string& path);

 private:
  ConfigNode root_{.kind = ConfigNode::Kind::mapping};
  Rank last_{Layer::command_line, 0};
};

}  // namespace apo
