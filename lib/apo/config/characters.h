// The characters of a configuration: which are text, and which only look like a space.
#pragma once

#include <cstddef>
#include <string>

#include "apo/base/options.h"

namespace apo {

/// The length of the UTF-8 sequence at text[i], or 0 where there is none (overlong forms,
/// surrogates and NUL count as none).
size_t utf8_length(const std::string& text, size_t i);

/// The characters that look like a space, or like nothing, and are not one for YAML: which there is
/// in `text`, or "".
std::string odd_space_in(const std::string& text);

/// What an editor shows as spaces in the lines up to the one where the parser gave up: the likely
/// cause, as "LINE:COLUMN: message", or "".
std::string invisible_mistake(const std::string& text, int last_line);

/// Whether the text is UTF-8 without control characters.
bool is_one_line(const std::string& text);

/// Visits the option `key`, which is a path.
void visit_path(OptionVisitor& visitor, const char* key, std::string& path, const char* help);

/// Text fit for a one-line message: control characters escaped, the rest of a long one cut.
std::string in_one_line(const std::string& text);

}  // namespace apo
