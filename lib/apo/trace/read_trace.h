// Reading back what a run has written, also one that still goes on or crashed.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "apo/train/observer.h"

namespace apo {

/// The content of a JSON file; an empty object where there is none that can be read.
nlohmann::ordered_json read_json(const std::filesystem::path& file);

/// The folder's summary.json; an empty object where there is none that can be read. Throws
/// Error(data) where a value is of another type than a run writes.
nlohmann::ordered_json read_summary(const std::filesystem::path& folder);

/// Shows the records of the folder's trace.jsonl, one at a time; where it has no step,  records as
/// it would have them from the columns of trace.json: those of a type in their order. Returns
/// whether there is either.
bool for_each_record(const std::filesystem::path& folder,
                     const std::function<void(const nlohmann::ordered_json& record)>& see);

/// The epoch with which a trace.jsonl ends, rollbacks and warnings not counted; nothing where it
/// ends with another record. Null is NaN, or where it need not be there nothing. meta_share is not
/// in it.
std::optional<EpochRecord> last_epoch(const std::filesystem::path& file);

/// Whether there is any step or epoch.
bool holds_trace(const std::filesystem::path& folder);

}  // namespace apo
