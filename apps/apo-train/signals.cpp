#include "signals.h"

#include <unistd.h>

#include <cstring>

#include "apo/base/error.h"
#include "apo/base/mapped_file.h"
#include "apo/base/terminal.h"

namespace apo {
namespace {

volatile std::sig_atomic_t received = 0;
volatile std::sig_atomic_t has_come[NSIG] = {};

void note(int signal, siginfo_t* info, void*) {
  if (!asks_for_end(signal, *info)) return;
  if (has_come[signal] != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // ends the process as soon as this handler returns
  }
  has_come[signal] = 1;
  received = signal;
  wait_for_no_reader();
}

/// A mapped file's bytes are gone. All that is called here may be called in a handler.
void tell_of_lost_file(int signal, siginfo_t* info, void*) {
  const char* path = mapped_file_at(info->si_addr);
  if (path == nullptr) {
    std::signal(signal, SIG_DFL);  // and comes again as soon as this returns
    return;
  }
  const auto put = [](const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); };
  put("apo-train: error: ");
  put(path);
  put(": has become shorter, or cannot be read, while it is mapped; expected the file to stay as "
      "it "
      "was, or dataset.mapped: never\n");
  ::_exit(exit_code(ErrorKind::data));
}

}  // namespace

bool is_ignored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

bool asks_for_end(int signal, const siginfo_t& info) {
  if (is_own_file_limit(signal, info)) return false;
  if (signal != SIGXCPU || info.si_code <= 0) return true;
  static volatile std::sig_atomic_t has_reminded = 0;
  const bool is_first = has_reminded == 0;
  has_reminded = 1;
  return is_first;
}

void watch_signals() {
  struct sigaction action {};
  action.sa_sigaction = note;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : kEndSignals) {
    if (!is_ignored(signal)) sigaction(signal, &action, nullptr);
  }
}

void watch_mapped_files() {
  struct sigaction action {};
  action.sa_sigaction = tell_of_lost_file;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

int received_signal() {
  return received;
}

}  // namespace apo
