#include "apo/model/freeze.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/base/text.h"

namespace apo {
namespace {

/// The name and all modules that it is in, the innermost first.
std::vector<std::string> paths_of(const std::string& name) {
  std::vector<std::string> paths = {name};
  for (size_t dot = name.rfind('.'); dot != std::string::npos;) {
    paths.push_back(name.substr(0, dot));
    dot = paths.back().rfind('.');
  }
  return paths;
}

bool chooses(const std::string& pattern, const std::string& name) {
  const std::vector<std::string> paths = paths_of(name);
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
  });
}

/// Names of what could have been meant by a pattern.
std::vector<std::string> candidates(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    for (std::string& path : paths_of(name)) {
      if (std::find(all.begin(), all.end(), path) == all.end()) all.push_back(std::move(path));
    }
  }
  return all;
}

}  // namespace

std::vector<bool> chosen(const std::vector<std::string>& names,
                         const std::vector<std::string>& patterns) {
  std::vector<bool> chosen(names.size());
  for (const std::string& pattern : patterns) {
    bool any = false;
    for (size_t i = 0; i < names.size(); ++i) {
      if (!chooses(pattern, names[i])) continue;
      chosen[i] = true;
      any = true;
    }
    if (any) continue;
    const std::string bare = pattern.substr(0, pattern.find_last_not_of("*.") + 1);
    const std::string hint = did_you_mean(bare, candidates(names));
    throw Error(ErrorKind::config,
                fmt::format("model.freeze: '{}' matches no parameter{}",
                            pattern,
                            hint.empty() ? fmt::format("; accepted: patterns of names such as {}",
                                                       names.front())
                                         : hint));
  }
  return chosen;
}

}  // namespace apo
