// Keys that have moved: what an older configuration says is accepted for one version, with a word.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apo/config/document.h"

namespace apo {

/// A member of a family that is something else now, or a value of a key that there is no more.
struct MovedMember {
  std::string key;   ///< that chose it, such as "tuner.name"; it goes unless it is chosen anew
  std::string name;  ///< the value that did
  /// A key with the value that stands for the choice now. Where `instead_of` is empty, a default:
  /// what is given stays. Else what is given must be one of them.
  struct Choice {
    std::string key;
    std::string value;
    std::vector<std::string> instead_of = {};
  };
  std::vector<Choice> now;
  /// Its own keys, and where they are now.
  std::vector<std::pair<std::string, std::string>> keys;
};

/// Rewrites what chooses such a member, lists of a grid too. Returns a line for each. Throws Error
/// (config) where a choice cannot be made.
std::vector<std::string> adopt_moved(Document& document, const std::vector<MovedMember>& moved);

}  // namespace apo
