#include "apo/train/initial_hyperparameters.h"

#include <algorithm>

namespace apo {

Hyperparameters initial_hyperparameters(const UpdateRule& rule,
                                        const Tuner& tuner,
                                        const Problem& problem) {
  std::vector<std::string> layers;
  const std::vector<int64_t> layer_of = layers_of(problem.network->parameter_names(), layers);
  std::vector<int64_t> group_of = layer_of;
  const TunerTraits& traits = tuner.traits();
  if (!traits.per_layer) std::fill(group_of.begin(), group_of.end(), 0);
  const int64_t groups = traits.per_layer ? static_cast<int64_t>(layers.size()) : 1;
  std::vector<HyperparameterSpec> specs = rule.hyperparameters();
  for (const auto& [name, range] : traits.bounds) {
    for (HyperparameterSpec& spec : specs) {
      if (spec.name == name) spec.range = range;
    }
  }
  const at::Device device = problem.network->parameters().front().device();
  return {std::move(specs),
          traits.tuned,
          std::move(group_of),
          groups,
          device,
          {problem.network->parameters(), layer_of}};
}

std::vector<std::string> names_of_tuned(const Hyperparameters& phi, const Problem& problem) {
  std::vector<std::string> layers = {""};
  if (phi.groups() > 1) layers_of(problem.network->parameter_names(), layers);
  std::vector<std::string> names;
  for (const size_t h : phi.tuned()) {
    if (!phi.is_scalar(h)) continue;
    for (const std::string& layer : layers) {
      names.push_back(phi.specs()[h].name + (phi.groups() > 1 ? "/" + layer : ""));
    }
  }
  return names;
}

}  // namespace apo
