#include "apo/model/network.h"

#include <algorithm>

namespace apo {

std::vector<int64_t> layers_of(const std::vector<std::string>& parameter_names,
                               std::vector<std::string>& layers) {
  std::vector<int64_t> layer_of;
  layers.clear();
  for (const std::string& name : parameter_names) {
    const size_t dot = name.rfind('.');
    const std::string layer = dot == std::string::npos ? "" : name.substr(0, dot);
    const auto found = std::find(layers.begin(), layers.end(), layer);
    layer_of.push_back(found - layers.begin());
    if (found == layers.end()) layers.push_back(layer);
  }
  return layer_of;
}

}  // namespace apo
