#include "apo/config/characters.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <sstream>
#include <utility>

namespace apo {
namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

}  // namespace

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

bool is_one_line(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0 || is_control(text[i])) return false;
    i += length;
  }
  return true;
}

void visit_path(OptionVisitor& visitor, const char* key, std::string& path, const char* help) {
  visitor.word(key, path, {}, help);
  visitor.require(path.size() < PATH_MAX && is_one_line(path),
                  key,
                  "must be a path in UTF-8 without control characters");
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

}  // namespace apo
