// Going on with a run that is there.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "apo/checkpoint/checkpoints.h"
#include "apo/run/assemble.h"
#include "apo/run/run.h"

namespace apo {

/// The run to resume has ended by itself with this very configuration. Says so on stderr.
bool is_finished(const RunSettings& settings, const nlohmann::ordered_json& config);

/// The checkpoint to go on from: nothing where the settings do not ask for it or there is none.
/// Damaged ones are named on stderr. Throws Error: config, where the state cannot follow what
/// changed in the configuration; data, where all checkpoints are damaged.
std::optional<Checkpoint> checkpoint_to_resume(Checkpoints& checkpoints,
                                               const RunSettings& settings,
                                               const nlohmann::ordered_json& config);

/// Throws Error(config) where the run is to be shorter than it is already.
void require_steps_left(const Checkpoint& checkpoint, int64_t steps);

/// Throws Error(data) where the data or the trace in `folder` are not those that the checkpoint was
/// made with. `section` is where its state has the mark of that trace.
void require_same_files(const Checkpoint& checkpoint,
                        const Assembly& assembly,
                        const std::filesystem::path& folder,
                        const std::string& section);

}  // namespace apo
