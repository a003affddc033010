// What a shell needs to complete command lines.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace apo {

/// The script that completes the options of `app`, their words, the names of configurations and
/// their keys. Throws Error (ErrorKind::config) for a shell other than bash, zsh and fish.
std::string completion(const CLI::App& app, const std::string& shell);

}  // namespace apo
