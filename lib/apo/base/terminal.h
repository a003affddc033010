// Words for those who started the program, on its stderr and stdout, whatever has become of these.
#pragma once

#include <csignal>
#include <cstddef>
#include <exception>
#include <string_view>

namespace apo {

/// For the first line of main(). A closed stdin, stdout or stderr gets a descriptor of which
/// nothing can be read and to which nothing can be written, so that no file that is opened later
/// takes its number. What nobody can take is a failed write and no signal: a pipe whose reader has
/// left (SIGPIPE), a file at the limit of `ulimit -f` (SIGXFSZ, unless another process sent it).
void protect_outputs();

/// Whether the kernel sent this SIGXFSZ because of a write of ours, which fails by itself.
bool is_own_file_limit(int signal, const siginfo_t& info);

/// Writes to stderr. What cannot be written there is lost; nothing else changes by it.
void say(std::string_view text);

/// From now on nothing is written, for another rank says it; or it is again.
void be_silent(bool silent = true);

/// The same to stdout: what a run says of itself, which is in its files, too.
void show(std::string_view text);

/// Writes what was asked for to stdout. Throws Error(output), or ReaderLeft.
void deliver(std::string_view text);

/// Who read stdout had enough, as in `apo-train --list | head -1`: not worth a message.
class ReaderLeft : public std::exception {
 public:
  const char* what() const noexcept override { return "stdout: its reader has left"; }
};

/// Columns of the terminal that this descriptor is now; 0 where it is none.
size_t terminal_columns(int descriptor);

/// Whether the terminal there, if it is one, can clear a line: a "dumb" one, as editors have, only
/// appends.
bool can_redraw(int descriptor);

/// From now on words are lost where their reader does not take them at once: a run that was asked
/// to end does not wait for a pager. May be called by a signal's handler.
void wait_for_no_reader();

}  // namespace apo
