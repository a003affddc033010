// The manual page.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace apo {

/// apo-train(1) in roff, from the options of `app`.
std::string man_page(const CLI::App& app,
                     const std::string& examples,
                     const std::string& exit_codes);

}  // namespace apo
