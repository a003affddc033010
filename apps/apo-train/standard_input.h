// A configuration that comes through stdin, for whoever wants to read it once more.
#pragma once

#include <string>

namespace apo {

/// How messages name it.
inline constexpr const char* kStandardInput = "<stdin>";

/// All that stdin gives. It can then be read once more from its beginning: by this program, started
/// anew (`wait_briefly`), and by its children. Throws Error (ErrorKind::config) where there is
/// nothing, or more than a configuration has.
std::string read_standard_input();

/// What a child opens as its stdin: the same text, from its beginning, where there was one; else
/// "/dev/null".
std::string standard_input_of_children();

}  // namespace apo
