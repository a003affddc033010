// Pictures, PNG and JPEG, as grey and as colour. Their size is limited, for a header of few bytes
// may claim many pixels.
#include <cstddef>
#include <cstdint>

#include "apo/data/picture.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::PictureFile picture(file.path());
    if (picture.height() * picture.width() > 1 << 16) return;
    for (const int64_t channels : {1, 3}) {
      const std::vector<int64_t> shape{channels, picture.height(), picture.width()};
      apo::fuzz::require(picture.decode(channels).sizes() == shape, "the picture has its shape");
    }
  });
  return 0;
}
