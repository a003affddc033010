// SVHN's MATLAB files, whole and in part.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  for (const int64_t examples : {0, 1}) {
    apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
      apo::fuzz::require_sound(apo::read_svhn(file.path(), {"training", examples}), 10);
    });
  }
  return 0;
}
