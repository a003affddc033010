// How threads wait for each other.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace apo {

/// What to add to the environment of a process that trains: names and values; nothing where the
/// user has said how threads wait (OMP_WAIT_POLICY).
///
/// LibTorch's OpenMP threads spin while they wait unless told otherwise, which beside another busy
/// process makes them ten and more times slower. Some microseconds of it, though, save waking them
/// up at each operation: measured as a tenth of a step of an MLP or a CNN, for which a run beside a
/// busy process pays as much.
std::vector<std::pair<std::string, std::string>> wait_settings();

}  // namespace apo
