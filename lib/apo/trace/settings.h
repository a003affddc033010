// The settings of runs beside each other.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace apo {

/// {"shared": {key: text}, "runs": [{key: text}, …]}: what all configurations agree on, by dotted
/// keys, and of each run what sets it apart. The names of runs are left out, and of configurations
/// that are not known (null) nothing is said.
nlohmann::ordered_json compared_settings(const std::vector<nlohmann::ordered_json>& configs);

}  // namespace apo
