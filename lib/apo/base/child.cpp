#include "apo/base/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <tuple>

namespace apo {
namespace {

/// By which a child is told the number of this process.
constexpr const char* kParent = "APO_GRID_PROCESS";

std::vector<std::string> environment_with(const EnvironmentVariables& added) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  variables.push_back(fmt::format("{}={}", kParent, getpid()));
  for (const auto& [name, value] : added) variables.push_back(fmt::format("{}={}", name, value));
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// errors: a descriptor for its stderr, or -1. Returns errno, 0 for success.
int spawn(std::vector<std::string> words,
          std::vector<std::string> environment,
          const std::string& input,
          int errors,
          pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  if (errors >= 0) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error = posix_spawn(&pid,
                                words.front().c_str(),
                                &actions,
                                &attributes,
                                pointers_to(words).data(),
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

}  // namespace

std::pair<int, int> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe: out of descriptors");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {ends[0], ends[1]};
}

Child::Child(const std::filesystem::path& executable,
             std::vector<std::string> arguments,
             const EnvironmentVariables& added,
             bool keeps_errors,
             const std::string& input) {
  arguments.insert(arguments.begin(), executable.string());
  int write_end = -1;
  if (keeps_errors) std::tie(errors_, write_end) = make_pipe();
  const int error = spawn(std::move(arguments), environment_with(added), input, write_end, pid_);
  if (write_end >= 0) close(write_end);
  if (error == 0) return;
  close_errors();
  throw std::system_error(error, std::generic_category());
}

Child::~Child() {
  close_errors();
}

void Child::read_errors() {
  constexpr size_t kKept = 4096;
  char buffer[kKept];
  ssize_t size = -1;
  while (errors_ >= 0 && (size = read(errors_, buffer, sizeof buffer)) > 0) {
    tail_.append(buffer, static_cast<size_t>(size));
    if (tail_.size() > kKept) tail_.erase(0, tail_.size() - kKept);
  }
  if (size == 0) close_errors();
}

std::optional<Child::End> Child::end() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  read_errors();
  close_errors();
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return End{.exit_code = signal != 0 ? 128 + signal : WEXITSTATUS(status),
             .signal = signal,
             .last_line = last_line_of(tail_)};
}

void Child::send(int signal) const {
  kill(pid_, signal);
}

void Child::wait() const {
  waitpid(pid_, nullptr, 0);
}

void Child::close_errors() {
  if (errors_ >= 0) close(std::exchange(errors_, -1));
}

bool is_child() {
  return std::getenv(kParent) != nullptr;
}

void end_with_parent() {
  if (!is_child()) return;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const bool is_orphan = std::to_string(getppid()) != std::getenv(kParent);
  if (is_orphan) std::raise(SIGTERM);
}

}  // namespace apo
