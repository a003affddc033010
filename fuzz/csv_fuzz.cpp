// Tables in CSV, their target of either kind.
#include <cstddef>
#include <cstdint>

#include "apo/data/formats.h"
#include "data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const apo::fuzz::MemoryFile file({data, size});
  for (const apo::CsvTask task :
       {apo::CsvTask::automatic, apo::CsvTask::classes, apo::CsvTask::numbers}) {
    apo::fuzz::read_or_refuse(apo::ErrorKind::data, [&] {
      apo::CsvOptions options;
      options.task = task;
      const apo::Dataset dataset = apo::read_csv(file.path(), "", options, 0);
      apo::fuzz::require_fits(dataset.train, dataset.classes);
      if (dataset.test.inputs.defined()) apo::fuzz::require_fits(dataset.test, dataset.classes);
      apo::fuzz::require(dataset.train.inputs.isfinite().all().item<bool>(), "inputs are finite");
    });
  }
  return 0;
}
