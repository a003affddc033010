// The options as text: `--list` and docs/config.md.
#pragma once

#include <string>

#include "apo/config/describe.h"

namespace apo {

/// The families (sections with a choice) with their members and everybody's options, for a
/// terminal.
std::string list_families(const SectionDescription& top);

/// The reference of every key, in Markdown: a table per section and per member with options.
std::string markdown_reference(const SectionDescription& top);

}  // namespace apo
