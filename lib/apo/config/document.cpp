#include "apo/config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "apo/base/error.h"
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
  std::string text(Document::kMaximalBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) fail(place, fmt::format("cannot be read: {}", std::strerror(errno)));
  text.resize(static_cast<size_t>(stream.gcount()));
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
  if (text.size() > kMaximalBytes) {
    fail(place, fmt::format("larger than {} bytes", kMaximalBytes));
  }
  Document document;
  ConfigNode root = parse_yaml(text, place, Places::file, 0);
  if (root.is_mapping()) {
    document.root_ = std::move(root);
  } else if (!root.is_null()) {
    fail(root.where, "the top level must be a mapping of keys");
  }
  document.root_.where = place;
  document.next_order_ = kMaximalBytes;
  return document;
}

void Document::set(const std::string& path, ConfigNode value) {
  const std::string place = value.where;
  ConfigNode* node = &root_;
  std::string above;
  for (const std::string& key : split_path(path, place)) {
    if (node->is_null()) *node = {.kind = Kind::mapping, .where = place, .order = value.order};
    if (!node->is_mapping()) {
      fail(place,
           fmt::format("{} is {}, not a section ({})",
                       above,
                       node->is_scalar() ? "a single value" : "a list",
                       node->where));
    }
    ConfigNode::Entry* entry = find_in(node->entries, key);
    if (entry == nullptr) {
      node->entries.push_back({.key = key, .where = place, .order = value.order});
      entry = &node->entries.back();
    }
    node = &entry->value;
    above += (above.empty() ? "" : ".") + key;
  }
  *node = std::move(value);
}

void Document::set(const std::string& path, const std::string& yaml, const std::string& place) {
  const std::string shown = in_one_line(place);
  ConfigNode value = parse_yaml(yaml, shown, Places::override, next_order_);
  if (value.where.empty()) value = {.where = shown, .order = next_order_};
  next_order_ += kMaximalNodes;
  set(path, std::move(value));
}

void Document::set(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string place = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) fail(in_one_line(place), "must be KEY=VALUE");
  set(assignment.substr(0, equals), assignment.substr(equals + 1), place);
}

void Document::remove(const std::string& key) {
  std::erase_if(root_.entries, [&](const auto& entry) { return entry.key == key; });
}

}  // namespace apo
