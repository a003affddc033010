#include "apo/config/parse.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "apo/base/error.h"
#include "apo/config/characters.h"

namespace apo {
namespace {

using Kind = ConfigNode::Kind;

/// Values and bytes of text that aliases may write out: a few hundred bytes of aliases of aliases
/// stand for more than any memory holds.
constexpr size_t kMaximalByAliases = 100'000;

struct Extent {
  size_t size = 1;  ///< values and bytes of text
  size_t height = 1;
};

Extent extent_of(const ConfigNode& node) {
  Extent whole{.size = 1 + node.text.size()};
  const auto add = [&whole](const ConfigNode& part) {
    const Extent extent = extent_of(part);
    whole.size += extent.size;
    whole.height = std::max(whole.height, extent.height + 1);
  };
  for (const ConfigNode& item : node.items) add(item);
  for (const auto& entry : node.entries) {
    whole.size += entry.key.size();
    add(entry.value);
  }
  return whole;
}

/// Builds the tree from the parser's events: yaml-cpp's own tree is made without end of some texts
/// that are no YAML, such as ",".
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& place, Rank& last) : place_(place), last_(last) {}

  ConfigNode take() {
    if (!bad_key_.empty()) throw Error(ErrorKind::config, bad_key_);
    return std::move(root_);
  }

  std::string at(const YAML::Mark& mark) const {
    if (last_.layer != Layer::file || mark.is_null()) return place_;
    return fmt::format("{}:{}:{}", place_, mark.line + 1, mark.column + 1);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(mark, "a second document begins; one is accepted");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(Kind::null, mark), mark, anchor);
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& text) override {
    ConfigNode node = make(Kind::scalar, mark);
    node.text = text;
    node.quoted = is_string(tag, mark);
    if (const std::string space = node.quoted ? "" : odd_space_in(text); !space.empty()) {
      fail(mark,
           fmt::format("{} in '{}'; an ordinary space is accepted", space, in_one_line(text)));
    }
    add(std::move(node), mark, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(mark, "an alias stands inside its own anchor");
    const auto [size, height] = extent_of(found->second);
    if (open_.size() + height > Document::kMaximalDepth) fail_too_deep(mark);
    if (size > room_for_aliases_) fail(mark, "the aliases, written out, are too much");
    room_for_aliases_ -= size;
    add(found->second, mark, YAML::NullAnchor);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string&,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Kind::sequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string&,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Kind::mapping, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  /// A list or mapping whose end has not been met.
  struct Open {
    ConfigNode node;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    /// In a mapping: the key whose value comes next.
    bool has_key = false;
    std::unordered_map<std::string, std::string> key_places = {};
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw Error(ErrorKind::config, at(mark) + ": " + message);
  }

  /// A string's tag is that of quotes, too; numbers and truth values may be tagged as what they
  /// are.
  bool is_string(const std::string& tag, const YAML::Mark& mark) const {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?") return false;
    if (tag == "!" || tag == std::string(kCore) + "str") return true;
    for (const char* type : {"float", "int", "bool"}) {
      if (tag == std::string(kCore) + type) return false;
    }
    const std::string shown = tag.starts_with(kCore) ? "!!" + tag.substr(kCore.size()) : tag;
    fail(mark,
         fmt::format("the tag {} is not accepted; no tag is needed for a value",
                     in_one_line(shown)));
  }

  [[noreturn]] void fail_too_deep(const YAML::Mark& mark) const {
    fail(mark, fmt::format("nested deeper than {} levels", Document::kMaximalDepth));
  }

  /// Reported last: the parser takes an unfinished list for a key before it finds the end missing.
  void note_bad_key(const YAML::Mark& mark) {
    if (bad_key_.empty()) bad_key_ = at(mark) + ": a key must be a single word";
  }

  ConfigNode make(Kind kind, const YAML::Mark& mark) {
    ++last_.number;
    return {.kind = kind, .where = at(mark), .rank = last_};
  }

  void open(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= Document::kMaximalDepth) fail_too_deep(mark);
    if (expects_key()) note_bad_key(mark);
    open_.push_back({.node = make(kind, mark), .mark = mark, .anchor = anchor});
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.mark, closed.anchor);
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().node.is_mapping() && !open_.back().has_key;
  }

  void add(ConfigNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.is_sequence()) {
      open_.back().node.items.push_back(std::move(node));
    } else if (expects_key()) {
      add_key(std::move(node), mark);
    } else {
      ConfigNode::Entry& entry = open_.back().node.entries.back();
      // The parser places a value that is not there at whatever follows.
      if (node.is_null()) node.where = entry.where;
      entry.value = std::move(node);
      open_.back().has_key = false;
    }
  }

  void add_key(ConfigNode key, const YAML::Mark& mark) {
    if (!key.is_scalar()) note_bad_key(mark);
    if (key.text == "<<" && !key.quoted) fail(mark, "merge keys ('<<') are not accepted");
    Open& mapping = open_.back();
    const auto [first, is_new] = mapping.key_places.emplace(key.text, at(mark));
    if (!is_new && key.is_scalar()) {
      fail(mark,
           fmt::format("duplicate key '{}'; first at {}", in_one_line(key.text), first->second));
    }
    mapping.node.entries.push_back({.key = key.text, .where = at(mark), .rank = key.rank});
    mapping.has_key = true;
  }

  const std::string& place_;
  Rank& last_;
  size_t room_for_aliases_ = kMaximalByAliases;
  int documents_ = 0;
  ConfigNode root_;
  std::string bad_key_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, ConfigNode> anchors_;
};

void require_utf8(const std::string& text, const std::string& place, Layer layer) {
  size_t line = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0) {
      const std::string where = layer == Layer::file ? fmt::format("{}:{}", place, line) : place;
      throw Error(ErrorKind::config, where + ": not text in UTF-8");
    }
    line += text[i] == '\n';
    i += length;
  }
}

}  // namespace

ConfigNode parse_yaml(const std::string& text, const std::string& place, Rank& last) {
  require_utf8(text, place, last.layer);
  TreeBuilder builder(place, last);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    const std::string mistake =
        last.layer == Layer::file ? invisible_mistake(text, error.mark.line) : "";
    if (!mistake.empty()) throw Error(ErrorKind::config, place + ":" + mistake);
    throw Error(ErrorKind::config, builder.at(error.mark) + ": " + in_one_line(error.msg));
  }
  return builder.take();
}

}  // namespace apo
