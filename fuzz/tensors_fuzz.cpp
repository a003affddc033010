// Safetensors files of examples.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::Dataset dataset = apo::read_tensors(file.path(), 0, /*mapped=*/false);
    const apo::Dataset mapped = apo::read_tensors(file.path(), 0, /*mapped=*/true);
    for (const auto part : {&apo::Dataset::train, &apo::Dataset::validation, &apo::Dataset::test}) {
      const apo::Split& split = dataset.*part;
      if (!split.inputs.defined()) continue;
      apo::fuzz::require_fits(split, dataset.classes);
      apo::fuzz::require_same(split, mapped.*part);
    }
    apo::fuzz::require(dataset.train.inputs.defined(), "there are training examples");
  });
  return 0;
}
