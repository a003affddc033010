// Texts, whose bytes are all sound.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::TextOptions options = {.path = {}, .length = 3, .test_share = 0.4};
    const apo::Dataset dataset = apo::read_text(file.path(), options, /*mapped=*/false);
    for (const apo::Split* part : {&dataset.train, &dataset.test}) {
      apo::fuzz::require_fits(*part, dataset.classes);
    }
    if (size > 1 && data[0] == 0x1f && data[1] == 0x8b) return;
    const apo::Dataset mapped = apo::read_text(file.path(), options, /*mapped=*/true);
    apo::fuzz::require_same(dataset.train, mapped.train);
    apo::fuzz::require_same(dataset.test, mapped.test);
  });
  return 0;
}
