#include "grid_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "apo/base/waiting.h"
#include "signals.h"

namespace apo {
namespace {

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

struct RunningChild {
  size_t index = 0;
  std::unique_ptr<Child> child;
};

class Runner {
 public:
  Runner(const std::filesystem::path& executable,
         size_t jobs,
         size_t threads_per_child,
         const std::function<void(const ChildResult&)>& on_end,
         const std::string& input)
      : executable_(executable),
        jobs_(jobs),
        threads_(threads_per_child),
        on_end_(on_end),
        input_(input) {}

  /// Where `on_end` threw: no child is left behind.
  ~Runner() {
    pass_on(SIGTERM);
    for (const RunningChild& run : children_) run.child->wait();
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  int run(const std::vector<std::vector<std::string>>& runs) {
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
  void start(size_t index, std::vector<std::string> arguments) {
    if (threads_ > 0) arguments.insert(arguments.end(), {"--threads", std::to_string(threads_)});
    try {
      auto child = std::make_unique<Child>(
          executable_, std::move(arguments), wait_settings(), jobs_ > 1, input_);
      children_.push_back({index, std::move(child)});
    } catch (const std::system_error& error) {
      const std::string why = executable_.string() + ": " + error.code().message();
      on_end_({.index = index, .end = {.exit_code = 127, .last_line = why}});
    }
  }

  /// Returns after a signal, output or the end of a child.
  void wait_for_news() {
    if (children_.empty()) return;
    std::vector<pollfd> sources = {{signals_.descriptor(), POLLIN, 0}};
    for (const RunningChild& run : children_) {
      if (run.child->errors() >= 0) sources.push_back({run.child->errors(), POLLIN, 0});
    }
    // The limit is a safety net: the end of a child arrives as a signal.
    constexpr int kMilliseconds = 200;
    poll(sources.data(), sources.size(), kMilliseconds);
    for (const RunningChild& run : children_) run.child->read_errors();
    for (const int signal : signals_.take()) {
      signal_ = signal;
      pass_on(signal);
    }
  }

  void pass_on(int signal) const {
    for (const RunningChild& run : children_) run.child->send(signal);
  }

  void collect_ended() {
    for (size_t i = 0; i < children_.size();) {
      auto end = children_[i].child->end();
      if (!end) {
        ++i;
        continue;
      }
      const ChildResult result = {children_[i].index, std::move(*end)};
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      on_end_(result);
    }
  }

  const std::filesystem::path& executable_;
  const size_t jobs_;
  const size_t threads_;
  const std::function<void(const ChildResult&)>& on_end_;
  const std::string& input_;
  SignalReader signals_;
  std::vector<RunningChild> children_;
  int signal_ = 0;
};

}  // namespace

int run_children(const std::filesystem::path& executable,
                 const std::vector<std::vector<std::string>>& runs,
                 size_t jobs,
                 size_t threads_per_child,
                 const std::function<void(const ChildResult&)>& on_end,
                 const std::string& input) {
  return Runner(executable, std::max<size_t>(jobs, 1), threads_per_child, on_end, input).run(runs);
}

}  // namespace apo
