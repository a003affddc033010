// A run's trace in columns, as trace.json holds it.
#pragma once

#include <istream>
#include <nlohmann/json.hpp>

#include "apo/train/observer.h"

namespace apo {

/// The records of a trace.jsonl laid out as docs/trace.md describes: {"name": …, "steps": …,
/// "meta": …, "epochs": …, "hyperparameters": …}, and "rollbacks" where there are any. Lines that a
/// crash tore are left out. A run keeps nothing of its trace in memory: this gathers it when it has
/// ended.
nlohmann::ordered_json gather_columns(std::istream& lines);

nlohmann::ordered_json to_json(const RunSummary& summary);

}  // namespace apo
