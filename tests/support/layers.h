// Layers as a configuration writes them.
#pragma once

#include <string>

#include "apo/config/reader.h"
#include "apo/model/layer.h"

namespace apo::test {

/// yaml: what stands between the brackets of `layers: […]`.
inline LayerList layers_of(const std::string& yaml) {
  LayerList list(layers());
  read_options(Document::parse("layers: [" + yaml + "]", "a.yaml"),
               [&](OptionVisitor& visitor) { visitor.choices("layers", list, ""); });
  return list;
}

}  // namespace apo::test
