#include "apo/base/waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace apo {

EnvironmentVariables wait_settings() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return {};
  EnvironmentVariables settings = {{"OMP_WAIT_POLICY", "passive"}};
  if (std::getenv("GOMP_SPINCOUNT") == nullptr) settings.emplace_back("GOMP_SPINCOUNT", "1000");
  return settings;
}

void wait_briefly(char** argv) {
  const EnvironmentVariables settings = wait_settings();
  if (settings.empty()) return;
  for (const auto& [name, value] : settings) setenv(name.c_str(), value.c_str(), 1);
  execv("/proc/self/exe", argv);
}

}  // namespace apo
