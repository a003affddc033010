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

namespace apo {
namespace {

using Kind = ConfigNode::Kind;

size_t height(const ConfigNode& node) {
  size_t below = 0;
  for (const ConfigNode& item : node.items) below = std::max(below, height(item));
  for (const auto& entry : node.entries) below = std::max(below, height(entry.value));
  return below + 1;
}

std::string odd_space_in(const std::string& text);

/// Builds the tree from the parser's events, and stops the parser as soon as a limit is passed.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& place, Places places, size_t first_order)
      : place_(place), places_(places), next_order_(first_order) {}

  ConfigNode take() {
    if (!bad_key_.empty()) throw Error(ErrorKind::config, bad_key_);
    return std::move(root_);
  }

  std::string at(const YAML::Mark& mark) const {
    if (places_ == Places::override || mark.is_null()) return place_;
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
    count(count_nodes(found->second), mark);
    if (open_.size() + height(found->second) > Document::kMaximalDepth) fail_too_deep(mark);
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

  void count(size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > Document::kMaximalNodes) {
      fail(mark, fmt::format("more than {} values, aliases included", Document::kMaximalNodes));
    }
  }

  ConfigNode make(Kind kind, const YAML::Mark& mark) {
    count(1, mark);
    return {.kind = kind, .where = at(mark), .order = next_order_++};
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
    if (anchor != YAML::NullAnchor) {
      count(count_nodes(node), mark);
      anchors_[anchor] = node;
    }
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
    mapping.node.entries.push_back({.key = key.text, .where = at(mark), .order = key.order});
    mapping.has_key = true;
  }

  const std::string& place_;
  Places places_;
  size_t next_order_;
  size_t nodes_ = 0;
  int documents_ = 0;
  ConfigNode root_;
  std::string bad_key_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, ConfigNode> anchors_;
};

/// The length of the UTF-8 sequence at text[i], or 0 where there is none (overlong forms,
/// surrogates and NUL count as none).
size_t utf8_length(const std::string& text, size_t i) {
  const auto byte = [&](size_t k) -> uint32_t {
    return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  uint32_t point = lead & (0xFFu >> (length + 1));
  for (size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (byte(k) & 0x3F);
  }
  const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < least[length] || point > 0x10FFFF || surrogate ? 0 : length;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

/// The characters that look like a space, or like nothing, and are not one for YAML: which there is
/// in `text`, or "".
std::string odd_space_in(const std::string& text) {
  constexpr std::pair<const char*, const char*> kOddSpaces[] = {
      {"\u00a0", "a no-break space (U+00A0)"},
      {"\u202f", "a narrow no-break space (U+202F)"},
      {"\u2007", "a figure space (U+2007)"},
      {"\u2003", "an em space (U+2003)"},
      {"\u2002", "an en space (U+2002)"},
      {"\u2009", "a thin space (U+2009)"},
      {"\u3000", "an ideographic space (U+3000)"},
      {"\u200b", "a zero-width space (U+200B)"},
      {"\ufeff", "a byte-order mark (U+FEFF)"}};
  for (const auto& [space, name] : kOddSpaces) {
    if (text.find(space) != std::string::npos) return name;
  }
  return "";
}

/// What an editor shows as spaces in the lines up to the one where the parser gave up: the likely
/// cause, as "LINE:COLUMN: message", or "".
std::string invisible_mistake(const std::string& text, int last_line) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; number <= last_line + 1 && std::getline(lines, line); ++number) {
    const size_t begin = line.find_first_not_of(" \t");
    const size_t tab = line.find('\t');
    if (begin != std::string::npos && line[begin] != '#' && tab < begin) {
      return fmt::format("{}:{}: a tab in the indentation; spaces are accepted", number, tab + 1);
    }
    const std::string space = odd_space_in(line.substr(0, line.find('#')));
    if (!space.empty()) {
      return fmt::format("{}: {}; an ordinary space is accepted", number, space);
    }
  }
  return "";
}

void require_utf8(const std::string& text, const std::string& place, Places places) {
  size_t line = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0) {
      const std::string where = places == Places::file ? fmt::format("{}:{}", place, line) : place;
      throw Error(ErrorKind::config, where + ": not text in UTF-8");
    }
    line += text[i] == '\n';
    i += length;
  }
}

}  // namespace

size_t count_nodes(const ConfigNode& node) {
  constexpr size_t kTextBytes = 64;
  size_t count = 1 + node.text.size() / kTextBytes;
  for (const ConfigNode& item : node.items) count += count_nodes(item);
  for (const auto& entry : node.entries) {
    count += entry.key.size() / kTextBytes + count_nodes(entry.value);
  }
  return count;
}

bool is_one_line(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0 || is_control(text[i])) return false;
    i += length;
  }
  return true;
}

std::string in_one_line(const std::string& text) {
  constexpr size_t kLength = 80;
  std::string line;
  for (size_t i = 0; i < text.size();) {
    const size_t length = std::max<size_t>(utf8_length(text, i), 1);
    if (line.size() + length > kLength) return line + "…";
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool escaped = is_control(text[i]) || (byte >= 0x80 && length == 1);
    line += escaped ? fmt::format("\\x{:02x}", byte) : text.substr(i, length);
    i += length;
  }
  return line;
}

ConfigNode parse_yaml(const std::string& text,
                      const std::string& place,
                      Places places,
                      size_t first_order) {
  require_utf8(text, place, places);
  TreeBuilder builder(place, places, first_order);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    const std::string mistake =
        places == Places::file ? invisible_mistake(text, error.mark.line) : "";
    if (!mistake.empty()) throw Error(ErrorKind::config, place + ":" + mistake);
    throw Error(ErrorKind::config, builder.at(error.mark) + ": " + in_one_line(error.msg));
  }
  return builder.take();
}

}  // namespace apo
