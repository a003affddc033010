// A configuration to begin with: every key in it, with what it means.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apo/config/describe.h"
#include "apo/config/document.h"

namespace apo {

/// `given` as YAML, and behind a '#' the other keys that it could give, with the values that they
/// have without; each with its help and what is accepted. Reads back as `given`; where every "#" is
/// taken from before its key, too.
/// `keys` describes the options, `resolved` is the configuration with every default.
std::string starter(const SectionDescription& keys,
                    const nlohmann::ordered_json& resolved,
                    const Document& given);

}  // namespace apo
