// Which parts of a network stay as they are.
#pragma once

#include <string>
#include <vector>

namespace apo {

/// Which of the tensors `names` a pattern chooses: by its name, "layer1.0.conv1.weight", or by a
/// module that it is in, "layer1". In a pattern * is any characters, dots among them, ? is one, and
/// [ab] one of these (fnmatch(3)). Throws Error(config), with a close name, for a pattern that
/// chooses none.
std::vector<bool> chosen(const std::vector<std::string>& names,
                         const std::vector<std::string>& patterns);

}  // namespace apo
