#include "apo/base/text.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace apo {
namespace {

std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

/// Levenshtein distance: insertions, deletions, substitutions and swaps of neighbours cost 1.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// Where to break a line that is longer than `columns`: at the last gap before which there are no
/// more, preferably of two blanks in the second half; else at the first. npos: it has none.
size_t break_of(std::string_view line, size_t columns) {
  size_t best = std::string_view::npos;
  bool best_is_wide = false;
  size_t next = line.find_first_not_of(' ');
  for (size_t i = line.find(' ', next); i < line.size(); i = line.find(' ', next)) {
    next = line.find_first_not_of(' ', i);
    if (next == std::string_view::npos) break;
    const size_t before = columns_of(line.substr(0, i));
    if (before > columns) return best == std::string_view::npos ? i : best;
    const bool is_wide = next - i > 1 && 2 * before > columns;
    if (is_wide || !best_is_wide) best = i;
    best_is_wide = best_is_wide || is_wide;
  }
  return best;
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(in_lower_case(word), in_lower_case(candidate));
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : "; did you mean '" + near + "'?";
}

std::string list_or(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xC0U) != 0x80U; }));
}

std::string wrapped(std::string_view text, size_t columns) {
  constexpr std::string_view kIndent = "    ";
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  std::string lines;
  size_t room = columns;
  while (columns_of(line) > room) {
    const size_t cut = break_of(line, room);
    if (cut == std::string_view::npos) break;
    lines.append(line.substr(0, cut)).append("\n").append(kIndent);
    line.remove_prefix(line.find_first_not_of(' ', cut));
    room = columns - std::min(columns, kIndent.size());
  }
  lines.append(line);
  if (end == text.size()) return lines;
  return lines + "\n" + wrapped(text.substr(end + 1), columns);
}

}  // namespace apo
