// What may change in the configuration of a run that goes on.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apo/config/document.h"

namespace apo {

/// A key with its two values, as JSON has them.
struct Change {
  std::string key;
  std::string before;
  std::string now;
};

/// A configuration that an older program has resolved, as this one resolves it: a key that has come
/// since is what there was before it. Throws Error where this program does not take it.
nlohmann::ordered_json resolved_anew(Document document);

/// Throws Error(config) that names the first key whose value differs and that the state of a run
/// cannot follow, such as the model. Harmless ones, such as the device and the length, may change.
/// before, now: resolved configurations.
void check_can_resume(const nlohmann::ordered_json& before, const nlohmann::ordered_json& now);

/// The first key whose values differ and give other results; nothing where runs of the two
/// configurations are the same but for where and how they were trained.
std::optional<Change> change_of_results(const nlohmann::ordered_json& before,
                                        const nlohmann::ordered_json& now);

}  // namespace apo
