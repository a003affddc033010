// A process that this one starts.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace apo {

/// Names and values.
using EnvironmentVariables = std::vector<std::pair<std::string, std::string>>;

/// A pipe's ends, for reading and for writing, that no other program inherits; reading does not
/// wait. Throws std::runtime_error where there are no descriptors left.
std::pair<int, int> make_pipe();

class Child {
 public:
  struct End {
    int exit_code = 0;  ///< 128 + signal where a signal killed it
    int signal = 0;     ///< that one, or 0
    std::string last_line = {};
  };

  /// Starts `executable` in a process group of its own, so that a Ctrl-C does not reach it but
  /// through us, with our environment and `added`. It reads `input`. With `keeps_errors` what it
  /// writes to stdout goes nowhere and the end of its stderr is kept. Throws std::system_error.
  Child(const std::filesystem::path& executable,
        std::vector<std::string> arguments,
        const EnvironmentVariables& added,
        bool keeps_errors,
        const std::string& input = "/dev/null");
  /// Leaves the process alone.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Where its stderr can be polled; -1 where that is not kept or closed.
  int errors() const { return errors_; }
  /// Takes what has come there.
  void read_errors();
  /// How it ended; nothing while it goes on.
  std::optional<End> end();
  void send(int signal) const;
  void wait() const;

 private:
  void close_errors();

  pid_t pid_ = 0;
  int errors_ = -1;
  std::string tail_;
};

/// Whether this process is such a child.
bool is_child();
/// In a child: should the process that started it end, by whatever, this one is asked to end, too.
void end_with_parent();

}  // namespace apo
