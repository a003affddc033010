// YAML text to configuration values.
#pragma once

#include <cstddef>
#include <string>

#include "apo/config/document.h"

namespace apo {

enum class Places {
  file,      ///< "<place>:<line>:<column>" for each value
  override,  ///< "<place>" for all of them
};

/// The one document in `text`; null if there is none. Values are numbered from `first_order`.
/// Errors (ErrorKind::config) name the place of what is not YAML, not UTF-8, given twice, too deep
/// or too much.
ConfigNode parse_yaml(const std::string& text,
                      const std::string& place,
                      Places places,
                      size_t first_order);

/// The number of values in `node`, itself included; a text counts once more for each 64 bytes.
size_t count_nodes(const ConfigNode& node);

/// Whether the text is UTF-8 without control characters.
bool is_one_line(const std::string& text);

/// Text fit for a one-line message: control characters escaped, the rest of a long one cut.
std::string in_one_line(const std::string& text);

}  // namespace apo
