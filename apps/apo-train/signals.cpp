#include "signals.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <string>

namespace apo {
namespace {

volatile std::sig_atomic_t received = 0;

}  // namespace

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { received = signal; };
  action.sa_flags = SA_RESETHAND;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

void end_with_parent() {
  if (std::getenv(kGridProcess) == nullptr) return;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const bool is_orphan = std::to_string(getppid()) != std::getenv(kGridProcess);
  if (is_orphan) std::raise(SIGTERM);
}

int received_signal() {
  return received;
}

}  // namespace apo
