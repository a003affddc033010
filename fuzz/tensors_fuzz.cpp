// Safetensors files of examples.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::Dataset dataset = apo::read_tensors(file.path(), 0);
    for (const apo::Split* part : {&dataset.train, &dataset.validation, &dataset.test}) {
      if (part->inputs.defined()) apo::fuzz::require_fits(*part, dataset.classes);
    }
    apo::fuzz::require(dataset.train.inputs.defined(), "there are training examples");
  });
  return 0;
}
