// What a fuzz target takes for a finding.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "apo/base/error.h"

namespace apo::fuzz {

/// A property of what was read. Where it does not hold, the process ends: a finding.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

/// Runs `read`, which may refuse its input by an Error of this kind, in one line. Anything else
/// that it throws ends the process.
template <class Read>
void read_or_refuse(ErrorKind kind, Read read) {
  try {
    read();
  } catch (const Error& error) {
    require(error.kind() == kind, "the error is of its kind");
    require(std::string(error.what()).find('\n') == std::string::npos, "the error is one line");
  }
}

}  // namespace apo::fuzz
