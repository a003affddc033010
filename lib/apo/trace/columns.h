// A run's trace in columns, as trace.json holds it.
#pragma once

#include <filesystem>
#include <istream>
#include <nlohmann/json.hpp>

#include "apo/train/observer.h"

namespace apo {

/// Writes trace.json: the `header`'s keys, then the records of a trace.jsonl laid out as
/// docs/trace.md describes: "steps", "meta", "epochs", "hyperparameters", and "rollbacks",
/// "freezes" and "warnings" where there are any. Lines that a crash tore are left out. The columns
/// wait in a file without a name beside it, so the memory this takes does not grow with the run.
/// Throws Error(output).
void write_columns(std::istream& lines,
                   const nlohmann::ordered_json& header,
                   const std::filesystem::path& file);

nlohmann::ordered_json to_json(const RunSummary& summary);

}  // namespace apo
