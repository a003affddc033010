// Texts, whose bytes are all sound.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::Dataset dataset = apo::read_text(file.path(), {.length = 3, .test_share = 0.4});
    for (const apo::Split* part : {&dataset.train, &dataset.test}) {
      apo::fuzz::require_fits(*part, dataset.classes);
    }
  });
  return 0;
}
