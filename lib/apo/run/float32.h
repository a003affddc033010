// Numbers of a configuration that arithmetic in single precision cannot hold.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "apo/base/options.h"

namespace apo {

/// A number that float32 turns into infinity, or into zero where zero is not accepted.
struct BeyondFloat32 {
  std::string key;      ///< dotted
  std::string message;  ///< what is wrong with it and what is accepted
};

/// The first such number that `fields` visit; nothing where there is none. `path`: of the section,
/// "optimizer.". What is reckoned in float64 whatever the precision is left out: tuner.bounds,
/// tuner.meta_optimizer.
std::optional<BeyondFloat32> beyond_float32(const std::string& path,
                                            const std::function<void(OptionVisitor&)>& fields);

}  // namespace apo
