// How threads wait for each other.
#pragma once

#include "apo/base/child.h"

namespace apo {

/// What to add to the environment of a process that trains: names and values; nothing where the
/// user has said how threads wait (OMP_WAIT_POLICY).
///
/// LibTorch's OpenMP threads spin while they wait unless told otherwise, which beside another busy
/// process makes them ten and more times slower. Some microseconds of it, though, save waking them
/// up at each operation: measured as a tenth of a step of an MLP or a CNN, for which a run beside a
/// busy process pays as much.
EnvironmentVariables wait_settings();

/// For programs: starts this one again with these settings, for OpenMP reads them when it is
/// loaded. Does nothing where they are set, and returns where that fails.
void wait_briefly(char** argv);

}  // namespace apo
