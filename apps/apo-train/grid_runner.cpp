#include "grid_runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "apo/base/waiting.h"
#include "signals.h"

namespace apo {
namespace {

/// A pipe that neither blocks its reader nor outlives an exec.
std::pair<int, int> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe: out of descriptors");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {ends[0], ends[1]};
}

int signal_pipe = -1;

void write_signal(int signal, siginfo_t* info, void*) {
  if (!asks_for_end(signal, *info)) return;
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  [[maybe_unused]] const ssize_t written = write(signal_pipe, &byte, 1);
  errno = saved;
}

/// Turns signals into bytes on a pipe while it lives. Those that are ignored stay so (nohup).
class SignalReader {
 public:
  SignalReader() {
    std::tie(read_end_, signal_pipe) = make_pipe();
    fcntl(signal_pipe, F_SETFL, O_NONBLOCK);
    struct sigaction action {};
    action.sa_sigaction = write_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGCHLD, &action, &children_before_);
    for (size_t i = 0; i < kEndSignals.size(); ++i) {
      sigaction(kEndSignals[i], nullptr, &before_[i]);
      if (!is_ignored(kEndSignals[i])) sigaction(kEndSignals[i], &action, nullptr);
    }
  }
  ~SignalReader() {
    sigaction(SIGCHLD, &children_before_, nullptr);
    for (size_t i = 0; i < kEndSignals.size(); ++i) sigaction(kEndSignals[i], &before_[i], nullptr);
    close(read_end_);
    close(std::exchange(signal_pipe, -1));
  }
  SignalReader(const SignalReader&) = delete;
  SignalReader& operator=(const SignalReader&) = delete;

  int descriptor() const { return read_end_; }

  /// The signals since the last call that ask for an end.
  std::vector<int> take() const {
    std::vector<int> signals;
    unsigned char byte = 0;
    while (read(read_end_, &byte, 1) == 1) {
      if (byte != SIGCHLD) signals.push_back(byte);
    }
    return signals;
  }

 private:
  struct sigaction children_before_ {};
  std::array<struct sigaction, kEndSignals.size()> before_{};
  int read_end_ = -1;
};

std::vector<std::string> child_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  variables.push_back(fmt::format("{}={}", kGridProcess, getpid()));
  for (const auto& [name, value] : wait_settings())
    variables.push_back(fmt::format("{}={}", name, value));
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// A process of its own group, so that a Ctrl-C reaches it once: through us. With `errors` (a
/// descriptor) it writes its stderr there and its stdout nowhere. Returns errno, 0 for success.
int spawn(const std::filesystem::path& executable,
          std::vector<std::string> arguments,
          int errors,
          pid_t& pid) {
  arguments.insert(arguments.begin(), executable.string());
  std::vector<std::string> environment = child_environment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (errors >= 0) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error = posix_spawn(&pid,
                                executable.c_str(),
                                &actions,
                                &attributes,
                                pointers_to(arguments).data(),
                                pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

std::string last_line_of(std::string text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  return text.substr(text.find_last_of("\r\n") + 1);
}

/// A running child.
struct Child {
  ChildResult result;
  pid_t pid = 0;
  int errors = -1;
  std::string tail = {};

  /// Reads what there is and keeps the end.
  void read_errors() {
    constexpr size_t kKept = 4096;
    char buffer[kKept];
    ssize_t size = -1;
    while (errors >= 0 && (size = read(errors, buffer, sizeof buffer)) > 0) {
      tail.append(buffer, static_cast<size_t>(size));
      if (tail.size() > kKept) tail.erase(0, tail.size() - kKept);
    }
    if (size == 0) close_errors();
  }

  void close_errors() {
    if (errors >= 0) close(std::exchange(errors, -1));
  }

  bool has_ended() {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) != pid) return false;
    read_errors();
    close_errors();
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result.exit_code = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(status);
    result.last_line = last_line_of(tail);
    return true;
  }
};

class Runner {
 public:
  Runner(const std::filesystem::path& executable,
         size_t jobs,
         size_t threads_per_child,
         const std::function<void(const ChildResult&)>& on_end)
      : executable_(executable), jobs_(jobs), threads_(threads_per_child), on_end_(on_end) {}

  /// Where `on_end` threw: no child is left behind.
  ~Runner() {
    pass_on(SIGTERM);
    for (Child& child : children_) waitpid(child.pid, nullptr, 0);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  int run(const std::vector<ChildRun>& runs) {
    for (size_t next = 0; !children_.empty() || (next < runs.size() && signal_ == 0);) {
      while (next < runs.size() && children_.size() < jobs_ && signal_ == 0) {
        start(next, runs[next]);
        ++next;
      }
      wait_for_news();
      collect_ended();
    }
    return signal_;
  }

 private:
  void start(size_t index, const ChildRun& run) {
    std::vector<std::string> arguments = run.arguments;
    if (threads_ > 0) {
      arguments.emplace_back("--threads");
      arguments.push_back(std::to_string(threads_));
    }
    Child child{.result = {.index = index, .label = run.label}};
    int write_end = -1;
    if (jobs_ > 1) std::tie(child.errors, write_end) = make_pipe();
    const int error = spawn(executable_, std::move(arguments), write_end, child.pid);
    if (write_end >= 0) close(write_end);
    if (error == 0) {
      children_.push_back(std::move(child));
      return;
    }
    child.close_errors();
    child.result.exit_code = 127;
    child.result.last_line = executable_.string() + ": " + std::strerror(error);
    on_end_(child.result);
  }

  /// Returns after a signal, output or the end of a child.
  void wait_for_news() {
    if (children_.empty()) return;
    std::vector<pollfd> sources = {{signals_.descriptor(), POLLIN, 0}};
    for (const Child& child : children_) {
      if (child.errors >= 0) sources.push_back({child.errors, POLLIN, 0});
    }
    // The limit is a safety net: the end of a child arrives as a signal.
    constexpr int kMilliseconds = 200;
    poll(sources.data(), sources.size(), kMilliseconds);
    for (Child& child : children_) child.read_errors();
    for (const int signal : signals_.take()) {
      signal_ = signal;
      pass_on(signal);
    }
  }

  void pass_on(int signal) const {
    for (const Child& child : children_) kill(child.pid, signal);
  }

  void collect_ended() {
    for (size_t i = 0; i < children_.size();) {
      if (!children_[i].has_ended()) {
        ++i;
        continue;
      }
      const ChildResult result = std::move(children_[i].result);
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      on_end_(result);
    }
  }

  const std::filesystem::path& executable_;
  const size_t jobs_;
  const size_t threads_;
  const std::function<void(const ChildResult&)>& on_end_;
  SignalReader signals_;
  std::vector<Child> children_;
  int signal_ = 0;
};

}  // namespace

int run_children(const std::filesystem::path& executable,
                 const std::vector<ChildRun>& runs,
                 size_t jobs,
                 size_t threads_per_child,
                 const std::function<void(const ChildResult&)>& on_end) {
  return Runner(executable, std::max<size_t>(jobs, 1), threads_per_child, on_end).run(runs);
}

}  // namespace apo
