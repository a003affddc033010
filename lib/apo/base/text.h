// Small helpers for messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apo {

/// The candidate nearest to `word` by edit distance, or "" where none is near enough to be a typo.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?" or "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b or c".
std::string list_or(const std::vector<std::string>& words);

/// How many columns a terminal takes for UTF-8, of which no character is wide or combines.
size_t columns_of(std::string_view text);

/// Each line broken between words where it is longer than `columns`, preferably where two blanks
/// stand, and indented from there on. A longer word stays whole, as paths must.
std::string wrapped(std::string_view text, size_t columns);

}  // namespace apo
