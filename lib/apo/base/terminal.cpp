#include "apo/base/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>

#include "apo/base/error.h"

namespace apo {
namespace {

bool is_silent = false;  // another rank speaks

std::atomic<bool> waits_for_readers = true;

/// In parts that a pipe takes without blocking once it has room. False and errno where it failed.
bool write_to(int descriptor, std::string_view text) {
  constexpr int kMilliseconds = 200;
  while (!text.empty()) {
    pollfd reader = {descriptor, POLLOUT, 0};
    const int ready = ::poll(&reader, 1, waits_for_readers ? kMilliseconds : 0);
    if (ready == 0 && !waits_for_readers) {
      errno = EAGAIN;
      return false;
    }
    if (ready <= 0) continue;
    const ssize_t count = ::write(descriptor, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (count > 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

/// Some file systems say only when a file is closed that it could not be written.
bool close_a_copy(int descriptor) {
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  return copy < 0 || ::close(copy) == 0;
}

void end_unless_own(int signal, siginfo_t* info, void*) {
  if (is_own_file_limit(signal, *info)) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void protect_outputs() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest number that is free is this one.
    if (::fcntl(descriptor, F_GETFD) < 0) ::open("/", O_PATH);  // kept over an exec
  }
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction action {};
  ::sigaction(SIGXFSZ, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_sigaction = end_unless_own;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGXFSZ, &action, nullptr);
}

bool is_own_file_limit(int signal, const siginfo_t& info) {
  return signal == SIGXFSZ && info.si_pid == ::getpid();
}

void be_silent(bool silent) {
  is_silent = silent;
}

void say(std::string_view text) {
  if (is_silent) return;
  write_to(STDERR_FILENO, text);
}

void show(std::string_view text) {
  if (is_silent) return;
  write_to(STDOUT_FILENO, text);
}

void deliver(std::string_view text) {
  if (is_silent || (write_to(STDOUT_FILENO, text) && close_a_copy(STDOUT_FILENO))) return;
  if (errno == EPIPE) throw ReaderLeft();
  throw Error(ErrorKind::output, std::string("stdout: cannot be written: ") + std::strerror(errno));
}

size_t terminal_columns(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool can_redraw(int descriptor) {
  const char* kind = std::getenv("TERM");
  return ::isatty(descriptor) != 0 && (kind == nullptr || std::string_view(kind) != "dumb");
}

void wait_for_no_reader() {
  waits_for_readers = false;
}

}  // namespace apo
