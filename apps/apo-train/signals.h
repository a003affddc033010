// Interruption by a signal, as a flag that the training loop polls.
#pragma once

namespace apo {

/// SIGINT and SIGTERM ask for an orderly end; a second one ends the process at once.
void watch_signals();

/// The signal that asked for the end, or 0.
int received_signal();

}  // namespace apo
