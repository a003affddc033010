#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apo/base/error.h"
#include "apo/model/model.h"

namespace apo {
namespace {

constexpr size_t kMostLayers = 1000;

/// The first layer that has to do with numbers, not with their shape.
size_t first_of_numbers(const LayerList& list) {
  const auto& items = list.items();
  const auto first = std::find_if(
      items.begin(), items.end(), [](const auto& item) { return item.name() != "flatten"; });
  return first == items.end() ? 0 : first - items.begin();
}

/// The layers of a list, one after the other.
class Sequential : public Model {
 public:
  Sequential(const LayerList& list, const ModelShape& shape)
      : first_(first_of_numbers(list)),
        first_name_(list.items()[first_].name()),
        takes_indices_(first_name_ == "embedding"),
        layers_(sequence(list, shape)) {
    layers_.register_in(*this);
  }

  Tensor forward(const Tensor& x) override {
    if (x.is_floating_point() == takes_indices_) {
      throw Error(
          ErrorKind::config,
          fmt::format("model.layers[{}] ({}): {}",
                      first_,
                      first_name_,
                      takes_indices_ ? "looks up whole numbers; those of the data set are real ones"
                                     : "takes real numbers; those of the data set are whole ones; "
                                       "accepted: an embedding before it"));
    }
    return layers_.forward(x);
  }
  bool draws() const override { return layers_.draws(); }

 private:
  LayerSequence sequence(const LayerList& list, const ModelShape& shape) const {
    int64_t parameters = 0;
    LayerSequence layers(list,
                         {.path = "model.layers",
                          .name = {},
                          .input = shape.input,
                          .takes_indices = takes_indices_,
                          .outputs = shape.outputs,
                          .parameters = &parameters});
    const std::vector<int64_t>& given = layers.shape();
    if (!given.empty() && given.back() == shape.outputs) return layers;
    throw Error(ErrorKind::config,
                fmt::format("model.layers[{}] ({}): the last one gives [{}] for an example; the "
                            "data set wants {} outputs",
                            list.size() - 1,
                            list.items().back().name(),
                            fmt::join(given, ", "),
                            shape.outputs));
  }

  size_t first_;
  std::string first_name_;
  bool takes_indices_;
  LayerSequence layers_;
};

}  // namespace

void SequentialOptions::visit(OptionVisitor& visitor) {
  visitor.choices("layers", layers, "what an example passes, from the first");
  visitor.require(layers.size() > 0 && layers.size() <= kMostLayers,
                  "layers",
                  fmt::format("must be 1 to {} layers", kMostLayers));
}

std::unique_ptr<Model> make_sequential(const SequentialOptions& options, const ModelShape& shape) {
  return std::make_unique<Sequential>(options.layers, shape);
}

}  // namespace apo
