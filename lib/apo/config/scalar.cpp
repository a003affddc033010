#include "apo/config/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>

#include "apo/base/error.h"
#include "apo/base/text.h"
#include "apo/config/characters.h"

namespace apo {
namespace {

std::string without_plus(const std::string& text) {
  return text.size() > 1 && text[0] == '+' && text[1] != '-' ? text.substr(1) : text;
}

std::optional<double> parse_special(const std::string& text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const bool negative = !text.empty() && text[0] == '-';
  const std::string size = negative ? text.substr(1) : without_plus(text);
  if (size == ".inf" || size == ".Inf" || size == ".INF") return negative ? -kInfinity : kInfinity;
  return std::nullopt;
}

template <class Number>
ParsedNumber<Number> from_chars(const std::string& text) {
  const std::string digits = without_plus(text);
  const char* end = digits.data() + digits.size();
  ParsedNumber<Number> parsed;
  const auto [stop, code] = std::from_chars(digits.data(), end, parsed.value);
  if (code == std::errc::invalid_argument || stop != end) {
    return {.error = NumberError::not_a_number};
  }
  if (code == std::errc::result_out_of_range) return {.error = NumberError::out_of_range};
  return parsed;
}

/// "must be > 0" → "must be a finite number > 0".
std::string finite_and(const std::string& range) {
  const std::string must = "must be ";
  const std::string finite = must + "a finite number";
  if (!range.starts_with(must) || range.starts_with(finite)) return range;
  return finite + " " + range.substr(must.size());
}

template <class Number>
std::string assign(const ParsedNumber<Number>& parsed,
                   const ConfigNode& node,
                   const Range& range,
                   const std::string& wanted,
                   Number& value) {
  if (parsed.error == NumberError::not_a_number) return "must be " + wanted;
  if (node.quoted) return fmt::format("must be {}, without quotes", wanted);
  if (parsed.error == NumberError::out_of_range) {
    const bool real = std::is_same_v<Number, double>;
    return fmt::format("too large or too small for {} of 64 bits", real ? "a number" : wanted);
  }
  const auto number = static_cast<double>(parsed.value);
  if (!std::isfinite(number)) return finite_and(range.describe());
  if (!range.contains(number)) return range.describe();
  value = parsed.value;
  return "";
}

}  // namespace

ParsedNumber<double> parse_real(const std::string& text) {
  if (const auto special = parse_special(text)) return {.value = *special};
  return from_chars<double>(text);
}

ParsedNumber<int64_t> parse_integer(const std::string& text) {
  const auto whole = from_chars<int64_t>(text);
  if (whole.error != NumberError::not_a_number) return whole;
  const auto real = parse_real(text);
  if (real.error != NumberError::none) return {.error = real.error};
  if (std::isfinite(real.value) && real.value != std::floor(real.value)) {
    return {.error = NumberError::not_a_number};
  }
  // 2⁶³ is a double, the greatest int64 is not.
  if (!(real.value >= -0x1p63 && real.value < 0x1p63)) return {.error = NumberError::out_of_range};
  return {.value = static_cast<int64_t>(real.value)};
}

std::string parse_number(const ConfigNode& node,
                         const Range& range,
                         const std::string& wanted,
                         double& value) {
  return assign(parse_real(node.text), node, range, wanted, value);
}

std::string parse_number(const ConfigNode& node,
                         const Range& range,
                         const std::string& wanted,
                         int64_t& value) {
  return assign(parse_integer(node.text), node, range, wanted, value);
}

int64_t integer_in(const std::string& place, const std::string& text, const Range& range) {
  const ParsedNumber<int64_t> parsed = parse_integer(text);
  const bool right = parsed.error == NumberError::none;
  if (right && range.contains(static_cast<double>(parsed.value))) return parsed.value;
  throw Error(ErrorKind::config,
              fmt::format("{} {}: {}",
                          place,
                          in_one_line(text),
                          right ? range.describe() : std::string("must be an integer")));
}

void require_one_of(const std::string& place,
                    const std::string& text,
                    const std::vector<std::string>& accepted) {
  if (std::find(accepted.begin(), accepted.end(), text) != accepted.end()) return;
  throw Error(ErrorKind::config,
              fmt::format("{} {}: must be {}{}",
                          place,
                          in_one_line(text),
                          list_or(accepted),
                          did_you_mean(text, accepted)));
}

std::optional<bool> parse_flag(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

bool looks_like_no_string(const std::string& text) {
  static const std::set<std::string> other_readers = {
      "",   "~",  "null", "Null", "NULL", "y",  "Y",   "n",   "N",   "yes", "Yes", "YES",
      "no", "No", "NO",   "on",   "On",   "ON", "off", "Off", "OFF", "=",   "<<"};
  const bool starts_as_number = text.find_first_not_of("+-.") != std::string::npos &&
                                text.find_first_not_of("+-.") == text.find_first_of("0123456789");
  return other_readers.contains(text) || parse_flag(text) || starts_as_number ||
         parse_real(text).error != NumberError::not_a_number;
}

std::string shown(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return "empty";
    case ConfigNode::Kind::sequence:
      return "a list";
    case ConfigNode::Kind::mapping:
      return "a mapping";
    case ConfigNode::Kind::scalar:
      break;
  }
  const bool bare = !node.quoted && (parse_flag(node.text) ||
                                     parse_real(node.text).error != NumberError::not_a_number);
  return fmt::format("{0}{1}{0}", bare ? "" : "'", in_one_line(node.text));
}

}  // namespace apo
