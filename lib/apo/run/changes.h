// What may change in the configuration of a run that goes on.
#pragma once

#include <nlohmann/json.hpp>

namespace apo {

/// Throws Error(config) that names the first key whose value differs and that the state of a run
/// cannot follow, such as the model. Harmless ones, such as the device and the length, may change.
/// before, now: resolved configurations.
void check_can_resume(const nlohmann::ordered_json& before, const nlohmann::ordered_json& now);

}  // namespace apo
