// Small helpers for messages.
#pragma once

#include <string>
#include <vector>

namespace apo {

/// The candidate nearest to `word` by edit distance, or "" where none is near enough to be a typo.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?" or "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b or c".
std::string list_or(const std::vector<std::string>& words);

}  // namespace apo
