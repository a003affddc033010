// Configurations: the text as a file, and as the words of --set.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "apo/config/grid.h"
#include "apo/config/reader.h"
#include "apo/config/writer.h"
#include "config/sample.h"
#include "finding.h"

namespace apo::fuzz {
namespace {

nlohmann::ordered_json read(const Document& document) {
  if (document.find("parts") != nullptr) {
    sample::Shelf shelf;
    read_into(document, shelf);
    return options_to_json(shelf);
  }
  sample::Workshop workshop;
  read_into(document, workshop);
  return options_to_json(workshop);
}

/// Of a grid that are read: enough, and in no time.
constexpr size_t kRuns = 100;

/// Every run's label is fit for a folder; what is read can be written and read again.
void read_runs(const Document& document) {
  const Grid grid(document);
  for (size_t i = 0; i < std::min<size_t>(grid.size(), kRuns); ++i) {
    const GridRun run = grid.run(i);
    require(run.label.find('/') == std::string::npos && run.label.size() < 256,
            "a label names a folder");
    const auto json = read(run.document);
    require(read(Document::parse(to_yaml(json), "again.yaml")) == json, "it reads back alike");
  }
}

}  // namespace
}  // namespace apo::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  apo::fuzz::read_or_refuse(apo::ErrorKind::config,
                            [&] { apo::fuzz::read_runs(apo::Document::parse(text, "fuzz.yaml")); });
  apo::fuzz::read_or_refuse(apo::ErrorKind::config, [&] {
    apo::Document document;
    document.set(text);
    apo::fuzz::read_runs(document);
  });
  return 0;
}
