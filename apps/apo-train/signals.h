// Interruption by a signal, as a flag that the training loop polls.
#pragma once

#include <array>
#include <csignal>

namespace apo {

/// The signals that ask for an orderly end: what shells, terminals and schedulers send. Those that
/// are ignored when the program starts stay so: SIGHUP under nohup, SIGINT in a script's
/// background.
inline constexpr std::array kEndSignals = {
    SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ};

/// Whether it is ignored now; nothing here makes it so.
bool is_ignored(int signal);

/// Whether a signal that has come is meant so. The kernel sends SIGXFSZ with a write of ours that
/// is about to fail, and repeats SIGXCPU every second. For handlers of signals.
bool asks_for_end(int signal, const siginfo_t& info);

/// Each of them asks for an orderly end; the second of a kind ends the process at once.
void watch_signals();

/// Where a mapped file has become shorter, or its disk fails, the process ends with one line and
/// the exit code of damaged data, not with SIGBUS; a run can be resumed.
void watch_mapped_files();

/// The signal that asked for the end, or 0.
int received_signal();

}  // namespace apo
