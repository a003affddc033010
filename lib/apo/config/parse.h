// YAML text to configuration values.
#pragma once

#include <string>

#include "apo/config/document.h"

namespace apo {

/// The one document in `text`; null if there is none. Values get the ranks behind `last`, which
/// becomes the last one. In the file's layer each is at "<place>:<line>:<column>", else all are
/// at `place`.
/// Errors (ErrorKind::config) name the place of what is not YAML, not UTF-8, given twice or too
/// deep, and of aliases that make too much of it.
ConfigNode parse_yaml(const std::string& text, const std::string& place, Rank& last);

}  // namespace apo
