// Files of initial weights, and models to be used: the tensors and the texts beside them.
#include <cstddef>
#include <cstdint>
#include <string>

#include "apo/run/weights_file.h"
#include "finding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] { apo::parse_weights(content, "fuzz"); });
  return 0;
}
