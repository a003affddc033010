// Numbers of a configuration that arithmetic in single precision cannot hold.
#pragma once

#include <functional>
#include <string>

#include "apo/base/options.h"

namespace apo {

/// Says what the first number is that `fields` visit and float32 turns into infinity, or into zero
/// where zero is not accepted; "" where there is none. `path`: of the section, "optimizer.". What
/// is reckoned in float64 whatever the precision is left out: tuner.bounds, tuner.meta_optimizer.
std::string beyond_float32(const std::string& path,
                           const std::function<void(OptionVisitor&)>& fields);

}  // namespace apo
