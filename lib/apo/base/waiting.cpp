#include "apo/base/waiting.h"

#include <cstdlib>

namespace apo {

std::vector<std::pair<std::string, std::string>> wait_settings() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return {};
  std::vector<std::pair<std::string, std::string>> settings = {{"OMP_WAIT_POLICY", "passive"}};
  if (std::getenv("GOMP_SPINCOUNT") == nullptr) settings.emplace_back("GOMP_SPINCOUNT", "1000");
  return settings;
}

}  // namespace apo
