// Whether a network fits its data.
#pragma once

#include <string>

#include "apo/problem/problem.h"

namespace apo {

/// Tries the network on one example. model: its name in the configuration; outputs: of a position;
/// classes: 0 where targets are real numbers. Throws Error(config) where it cannot take the
/// example, or gives another shape than the loss compares with.
void require_fit(Problem& problem, const std::string& model, int64_t outputs, int64_t classes);

}  // namespace apo
