// Traces that a run replays.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "apo/tuning/recorded.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
    const apo::RecordedValues values = apo::read_recorded(file.path());
    const auto last = static_cast<double>(values.steps() - 1);
    apo::fuzz::require(values.steps() > 0, "there is a step");
    for (size_t h = 0; h < values.names().size(); ++h) {
      for (const double place : {0.0, 0.5, last / 3, last, last + 1}) {
        const std::vector<double> found = values.at(place, h);
        const size_t layers = std::max<size_t>(1, values.layers().size());
        apo::fuzz::require(found.size() == layers, "each layer has a value");
        for (const double value : found) apo::fuzz::require(value >= 0, "a value is 0 or more");
      }
    }
  });
  return 0;
}
