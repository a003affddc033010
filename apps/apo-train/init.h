// A configuration to begin with.
#pragma once

#include "flags.h"

namespace apo {

/// What --init prints: the configuration of that name, with what the command line sets, every key
/// with what it means. Throws Error (ErrorKind::config), with the names that there are where it
/// knows none such.
std::string init(const Flags& flags);

}  // namespace apo
