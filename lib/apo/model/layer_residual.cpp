#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apo/base/error.h"
#include "apo/model/layer.h"

namespace apo {
namespace {

/// Registers the layers under `name`, as a torch.nn.Sequential that a module has.
void register_in(torch::nn::Module& module, const char* name, const LayerSequence& layers) {
  layers.register_in(*module.register_module(name, std::make_shared<torch::nn::Module>()));
}

}  // namespace

void ResidualOptions::visit(OptionVisitor& visitor) {
  visitor.choices("layers", layers, "what is added to the shortcut; must be given");
  visitor.require(layers.size() > 0, "layers", "must be given, one layer or more");
  visitor.choices("shortcut", shortcut, "what x passes beside them; none: x as it is");
}

/// x → layers(x) + shortcut(x).
std::unique_ptr<NetworkLayer> make_residual(const ResidualOptions& options,
                                            const LayerPlace& place) {
  const auto sequence = [&](const LayerList& list, const char* name) {
    LayerPlace inside = place;
    inside.path = fmt::format("{}.{}", place.path, name);
    inside.takes_indices = false;
    inside.outputs = 0;
    return LayerSequence(list, inside);
  };
  const LayerSequence layers = sequence(options.layers, "layers");
  const LayerSequence shortcut = sequence(options.shortcut, "shortcut");
  if (layers.shape() != shortcut.shape()) {
    throw Error(
        ErrorKind::config,
        fmt::format("{} (residual): its layers give [{}] for an example, its shortcut [{}]; "
                    "accepted: the same of both",
                    place.path,
                    fmt::join(layers.shape(), ", "),
                    fmt::join(shortcut.shape(), ", ")));
  }
  const auto module = std::make_shared<torch::nn::Module>();
  register_in(*module, "layers", layers);
  register_in(*module, "shortcut", shortcut);
  return std::make_unique<NetworkLayer>(NetworkLayer{
      .module = module,
      .forward = [layers,
                  shortcut](const Tensor& x) { return layers.forward(x) + shortcut.forward(x); },
      .shape = layers.shape(),
      .draws = layers.draws() || shortcut.draws()});
}

}  // namespace apo
