#include "signals.h"

#include <csignal>

namespace apo {
namespace {

volatile std::sig_atomic_t received = 0;

}  // namespace

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { received = signal; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int received_signal() {
  return received;
}

}  // namespace apo
