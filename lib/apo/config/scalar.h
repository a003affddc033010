// What the words of a configuration stand for, by YAML's core schema.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apo/base/options.h"
#include "apo/config/document.h"

namespace apo {

/// Why a text is no number of the wanted kind.
enum class NumberError { none, not_a_number, out_of_range };

template <class Number>
struct ParsedNumber {
  Number value = 0;
  NumberError error = NumberError::none;
};

/// A decimal number; `.inf` and `.nan` with their signs and spellings count as numbers.
ParsedNumber<double> parse_real(const std::string& text);
/// A whole number, also in the form 1e3 or 2.0.
ParsedNumber<int64_t> parse_integer(const std::string& text);
/// Reads the text of `node`, `wanted`: "a number" or the like, into `value`. Returns what is wrong
/// with it, such as "must be an integer, without quotes", or "".
std::string parse_number(const ConfigNode& node,
                         const Range& range,
                         const std::string& wanted,
                         double& value);
std::string parse_number(const ConfigNode& node,
                         const Range& range,
                         const std::string& wanted,
                         int64_t& value);
/// A whole number in `range`; throws Error(config) that begins with `place` where `text` is
/// another.
int64_t integer_in(const std::string& place, const std::string& text, const Range& range);
/// Throws Error(config) that begins with `place` where `text` is none of `accepted`.
void require_one_of(const std::string& place,
                    const std::string& text,
                    const std::vector<std::string>& accepted);
/// true or false, in the three customary spellings of case.
std::optional<bool> parse_flag(const std::string& text);
/// Whether YAML readers take the unquoted text for something else than a string.
bool looks_like_no_string(const std::string& text);

/// A value as messages show it: numbers and flags bare, strings in quotes, else "a list" and the
/// like.
std::string shown(const ConfigNode& node);

}  // namespace apo
