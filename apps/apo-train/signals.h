// Interruption by a signal, as a flag that the training loop polls.
#pragma once

namespace apo {

/// The environment variable by which a grid tells its processes its own number.
constexpr const char* kGridProcess = "APO_GRID_PROCESS";

/// SIGINT, SIGTERM and SIGUSR1 ask for an orderly end; a second one ends the process at once.
void watch_signals();

/// In a grid's process: should the grid's own process end, by whatever, this one is asked to end
/// too.
void end_with_parent();

/// The signal that asked for the end, or 0.
int received_signal();

}  // namespace apo
