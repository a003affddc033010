// Modules of torch.jit.save, and what else an archive may be. LibTorch's reader is behind it.
#include <cstddef>
#include <cstdint>

#include "apo/model/script_file.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data,
                            [&] { apo::draws_numbers(apo::read_script(file.path()).module); });
  return 0;
}
