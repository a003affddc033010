// CIFAR's files, each as CIFAR-10's and as CIFAR-100's, whole and in part.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  for (const apo::CifarFormat& format : {apo::kCifar10, apo::kCifar100}) {
    for (const int64_t limit : {1, 1 << 20}) {
      apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
        apo::fuzz::require_sound(apo::read_cifar(file.path(), format, limit), format.classes);
      });
    }
  }
  return 0;
}
