#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apo/base/error.h"
#include "apo/model/model.h"

namespace apo {

PictureShape picture_of(const ModelShape& shape, const char* model) {
  if (shape.input.size() == 3) return {shape.input[0], shape.input[1], shape.input[2]};
  throw Error(ErrorKind::config,
              fmt::format("model.name = {}: takes pictures [channels, height, width]; an example "
                          "of the data set is [{}]",
                          model,
                          fmt::join(shape.input, ", ")));
}

}  // namespace apo
