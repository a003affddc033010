#include "apo/config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "apo/base/error.h"
#include "apo/config/characters.h"
#include "apo/config/parse.h"

namespace apo {
namespace {

using Kind = ConfigNode::Kind;

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw Error(ErrorKind::config, place + ": " + message);
}

std::string read_text(const std::filesystem::path& file) {
  const std::string place = file.string();
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) fail(place, "no such file");
  if (std::filesystem::is_directory(status)) fail(place, "is a folder; a YAML file is accepted");
  // A pipe could be read but once, and a grid's runs read the file again.
  if (!std::filesystem::is_regular_file(status)) fail(place, "is no file; a YAML file is accepted");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail(place, fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) fail(place, fmt::format("cannot be read: {}", std::strerror(errno)));
  return text;
}

/// The words of a dotted key.
std::vector<std::string> split_path(const std::string& path, const std::string& place) {
  std::vector<std::string> keys(1);
  for (const char c : path) {
    if (c == '.') {
      keys.emplace_back();
    } else {
      keys.back() += c;
    }
  }
  if (std::find(keys.begin(), keys.end(), "") != keys.end()) {
    fail(place, fmt::format("'{}' is not a dotted key such as tuner.lambda", in_one_line(path)));
  }
  if (keys.size() > Document::kMaximalDepth) {
    fail(place, fmt::format("nested deeper than {} levels", Document::kMaximalDepth));
  }
  return keys;
}

/// Entries is const where the mapping is.
template <class Entries>
auto find_in(Entries& entries, const std::string& key) {
  const auto found = std::find_if(
      entries.begin(), entries.end(), [&](const auto& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace

const ConfigNode::Entry* ConfigNode::find(const std::string& key) const {
  return find_in(entries, key);
}

Layer latest_layer(const ConfigNode& node) {
  Layer latest = node.rank.layer;
  for (const ConfigNode& item : node.items) latest = std::max(latest, latest_layer(item));
  for (const auto& entry : node.entries) latest = std::max(latest, latest_layer(entry.value));
  return latest;
}

ConfigNode raised_to_grid(ConfigNode node) {
  node.rank.layer = std::max(node.rank.layer, Layer::grid);
  for (ConfigNode& item : node.items) item = raised_to_grid(std::move(item));
  for (auto& entry : node.entries) entry.value = raised_to_grid(std::move(entry.value));
  return node;
}

const ConfigNode* find(const ConfigNode& mapping, const std::string& path) {
  const size_t dot = path.find('.');
  const auto* entry = mapping.find(path.substr(0, dot));
  if (entry == nullptr || dot == std::string::npos) return entry ? &entry->value : nullptr;
  return find(entry->value, path.substr(dot + 1));
}

Document Document::load(const std::filesystem::path& file) {
  return parse(read_text(file), file.string());
}

Document Document::parse(const std::string& text, const std::string& place) {
  Document document;
  Rank first;
  ConfigNode root = parse_yaml(text, place, first);
  if (root.is_mapping()) {
    document.root_ = std::move(root);
  } else if (!root.is_null()) {
    fail(root.where, "the top level must be a mapping of keys");
  }
  document.root_.where = place;
  return document;
}

void Document::set(const std::string& path, ConfigNode value) {
  const std::string place = value.where;
  ConfigNode* node = &root_;
  std::string above;
  for (const std::string& key : split_path(path, place)) {
    if (node->is_null()) *node = {.kind = Kind::mapping, .where = place, .rank = value.rank};
    if (!node->is_mapping()) {
      fail(place,
           fmt::format("{} is {}, not a section ({})",
                       above,
                       node->is_scalar() ? "a single value" : "a list",
                       node->where));
    }
    ConfigNode::Entry* entry = find_in(node->entries, key);
    if (entry == nullptr) {
      node->entries.push_back({.key = key, .where = place, .rank = value.rank});
      entry = &node->entries.back();
    }
    if (above.size() + (above.empty() ? 0 : 1) + key.size() == path.size()) entry->where = place;
    node = &entry->value;
    above += (above.empty() ? "" : ".") + key;
  }
  if (node->is_scalar() && node->rank.layer < value.rank.layer) {
    value.replaced = node->replaced.empty() ? node->text : node->replaced;
  } else {
    value.replaced = node->replaced;
  }
  *node = std::move(value);
}

void Document::set(const std::string& path, const std::string& yaml, const std::string& place) {
  const std::string shown = in_one_line(place);
  ConfigNode value = parse_yaml(yaml, shown, last_);
  if (value.where.empty()) value = {.where = shown, .rank = last_};
  set(path, std::move(value));
}

void Document::set(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string place = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) fail(in_one_line(place), "must be KEY=VALUE");
  set(assignment.substr(0, equals), assignment.substr(equals + 1), place);
}

namespace {

/// The keys below `mapping` may have dots of their own: every split of `path` is tried.
bool remove_from(ConfigNode& mapping, const std::string& path) {
  if (std::erase_if(mapping.entries, [&](const auto& entry) { return entry.key == path; }) > 0) {
    return true;
  }
  return std::any_of(mapping.entries.begin(), mapping.entries.end(), [&](auto& entry) {
    return path.starts_with(entry.key + ".") &&
           remove_from(entry.value, path.substr(entry.key.size() + 1));
  });
}

}  // namespace

void Document::remove(const std::string& path) {
  remove_from(root_, path);
}

}  // namespace apo
