// MNIST's files: two bytes for the size of the file of labels, that file, the file of pictures.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

namespace {

void read(std::span<const uint8_t> bytes) {
  const size_t label_bytes = std::min<size_t>(bytes[0] | bytes[1] << 8, bytes.size() - 2);
  const apo::fuzz::MemoryFile labels(bytes.subspan(2, label_bytes));
  const apo::fuzz::MemoryFile images(bytes.subspan(2 + label_bytes));
  for (const int64_t examples : {0, 1}) {
    apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
      apo::fuzz::require_sound(apo::read_idx(images.path(), labels.path(), {"training", examples}),
                               10);
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size >= 2) read({data, size});
  return 0;
}
