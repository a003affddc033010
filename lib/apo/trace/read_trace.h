// Reading back what a run has written, also one that still goes on or crashed.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace apo {

/// The content of a JSON file; an empty object where there is none that can be read.
nlohmann::ordered_json read_json(const std::filesystem::path& file);

/// The folder's trace.json, or the same columns gathered from its trace.jsonl; an empty object
/// where there is neither.
nlohmann::ordered_json read_trace(const std::filesystem::path& folder);

/// Whether read_trace would find any step or epoch.
bool holds_trace(const std::filesystem::path& folder);

}  // namespace apo
