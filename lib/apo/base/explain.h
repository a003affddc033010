// LibTorch's failures in the user's words.
#pragma once

#include <string>

namespace apo {

/// A message without its further lines, which are a backtrace in LibTorch's.
std::string first_line(const std::string& message);

/// What `message`, of an exception of LibTorch's, means and what helps, where it is about memory or
/// the device; else the line with its cause, whatever backtraces are around it. One line.
std::string explained(const std::string& message);

/// Whether it is about memory or the device, whatever was asked of them.
bool is_of_the_machine(const std::string& message);

}  // namespace apo
