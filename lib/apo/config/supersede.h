// What later words of a configuration leave of the earlier ones.
#pragma once

#include <string>
#include <vector>

#include "apo/config/describe.h"
#include "apo/config/document.h"

namespace apo {

/// Where a later layer chooses another member of a family, takes away the keys that earlier layers
/// gave for the old one, and the grid's lists for those; of `train.steps` and `train.epochs` a
/// later one takes the place of the other; a toy chosen so needs no `dataset` and no `model`. What
/// one layer says at once is left as it is, mistakes included, and so is a key that the old member
/// does not have. `keys`: all that is accepted. Returns a line for each choice that took keys away.
std::vector<std::string> drop_superseded(Document& document, const SectionDescription& keys);

}  // namespace apo
