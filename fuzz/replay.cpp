// A fuzz target over its corpus, as an ordinary test: seeds, and every input that was a finding.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "support/files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace apo {
namespace {

TEST(Corpus, IsReadOrRefused) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(APO_CORPUS)) {
    SCOPED_TRACE(entry.path());
    const test::Bytes bytes = test::read_file(entry.path());
    EXPECT_EQ(LLVMFuzzerTestOneInput(bytes.data(), bytes.size()), 0);
    ++inputs;
  }
  EXPECT_GT(inputs, 0);
}

}  // namespace
}  // namespace apo
